// Finds what somebody has entered and not sent.

const NOT_ENTERED = ["hidden", "password", "search", "submit", "button"];

export function isChanged(place) {
  return [...place.querySelectorAll("input, textarea, select")].some((field) => {
    if (!field.name || field.disabled || NOT_ENTERED.includes(field.type)) return false;
    if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
    if (field.type === "file") return field.files.length > 0;
    if (field.type.startsWith("select")) return isOtherChoice(field);
    return field.value !== field.defaultValue;
  });
}

// A select without a marked option starts with its first one.
function isOtherChoice(select) {
  const options = [...select.options];
  const marked = options.filter((option) => option.defaultSelected);
  const start = marked.length || select.multiple ? marked : options.slice(0, 1);
  return options.some((option) => option.selected !== start.includes(option));
}
