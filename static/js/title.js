// The tab is called what its conversation is called, also when somebody renames it.

const heading = document.querySelector("h1[data-title-of]");

if (heading) {
  const follow = () => { document.title = `${heading.textContent} · chatsite`; };
  new MutationObserver(follow).observe(heading, { childList: true, characterData: true, subtree: true });
}
