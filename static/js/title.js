// Keeps the title of the tab equal to the title of the conversation.

const heading = document.querySelector("h1[data-title-of]");

if (heading) {
  const follow = () => { document.title = `${heading.textContent} · chatsite`; };
  new MutationObserver(follow).observe(heading, { childList: true, characterData: true, subtree: true });
}
