// What every page does with scripts; each behaviour stands in a module of its own.
import "./attachments.js";
import "./composer.js";
import "./connection.js";
import "./context.js";
import "./copy.js";
import "./dialogs.js";
import "./follow.js";
import "./images.js";
import "./keys.js";
import "./menus.js";
import "./messages.js";
import "./reveal.js";
import "./session.js";
import "./sidebar.js";
import "./title.js";
import "./toasts.js";
import "./tools.js";
