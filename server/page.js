// Keeps the page fresh. Only what changed is replaced, so that scroll, focus
// and what is selected stay; without this script the page loads itself again.
"use strict";

const EVERY = 5000; // ms, while there is no stream of events
const lost = document.getElementById("lost");

const here = "/" + location.search;
const signsIn = () => document.getElementById("sign-in") !== null;
const shows = () => document.querySelector(".strip") !== null;

function attributes(old, now) {
	for (const { name, value } of [...now.attributes])
		if (old.getAttribute(name) !== value)
			old.setAttribute(name, value);
	for (const { name } of [...old.attributes])
		if (!now.hasAttribute(name))
			old.removeAttribute(name);
}

// Make `old` the same as `now`, touching as little as can be.
function merge(old, now) {
	if (old.isEqualNode(now))
		return;
	const a = [...old.childNodes], b = [...now.childNodes];

	if (old.nodeType !== Node.ELEMENT_NODE || a.length !== b.length ||
		old.nodeName !== now.nodeName || a.length === 0) {
		old.replaceWith(now);
		return;
	}
	attributes(old, now);
	a.forEach((child, i) => merge(child, b[i]));
}

async function refresh() {
	const answer = await fetch(here, { cache: "no-store",
		headers: { "Accept": "text/html" } });

	if (!answer.ok && answer.status !== 401 && answer.status !== 403)
		throw new Error("the server answered " + answer.status);
	const page = new DOMParser().parseFromString(
		await answer.text(), "text/html");

	document.title = page.title;
	merge(document.getElementById("page"), page.getElementById("page"));
}

let busy = false, again = false;

// One request at a time; what changed meanwhile is asked for after it.
async function look() {
	again = busy;
	if (busy || document.hidden)
		return;
	busy = true;
	try {
		await refresh();
		lost.textContent = "";
	} catch (e) {
		lost.textContent = "Not fresh: " + e.message;
	}
	busy = false;
	if (!shows())
		close();
	else if (again)
		look();
}

// A browser has few connections for one host: only the page that is seen
// keeps one open.
let stream = null;

function close() {
	if (stream)
		stream.close();
	stream = null;
}

function open() {
	if (stream || document.hidden || !shows())
		return;
	stream = new EventSource("/events");
	stream.onmessage = look;
}

function streams() {
	return stream !== null && stream.readyState === EventSource.OPEN;
}

function beat() {
	if (stream && stream.readyState === EventSource.CLOSED)
		close(); // refused; look() finds out why
	if (!streams() && shows())
		look();
	open();
}

document.addEventListener("visibilitychange", () => {
	if (document.hidden)
		close();
	else
		beat();
});
setInterval(beat, EVERY);
open();
if (signsIn() && location.pathname === "/")
	look(); // who came from elsewhere may have signed in before
