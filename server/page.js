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

// What both have in front and at the end stays; what is between is replaced.
function children(old, now) {
	const a = [...old.childNodes], b = [...now.childNodes];
	const least = Math.min(a.length, b.length);
	const fits = (i, k) => a[i].nodeName === b[k].nodeName;
	let head = 0, tail = 0;

	while (head < least && fits(head, head))
		head++;
	while (tail < least - head &&
		fits(a.length - 1 - tail, b.length - 1 - tail))
		tail++;
	for (const gone of a.slice(head, a.length - tail))
		gone.remove();
	for (const come of b.slice(head, b.length - tail))
		old.insertBefore(come, tail ? a[a.length - tail] : null);
	for (let i = 0; i < head; i++)
		merge(a[i], b[i]);
	for (let i = 1; i <= tail; i++)
		merge(a[a.length - i], b[b.length - i]);
}

// Make `old` the same as `now`, touching as little as can be.
function merge(old, now) {
	if (old.isEqualNode(now))
		return;
	if (old.nodeType !== Node.ELEMENT_NODE ||
		old.nodeName !== now.nodeName) {
		old.replaceWith(now);
		return;
	}
	attributes(old, now);
	children(old, now);
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
