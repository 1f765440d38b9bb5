// Keeps the page fresh. Only what changed is replaced, so that scroll, focus
// and what is selected stay; without this script the page loads itself again.
"use strict";

const EVERY = 2000; // ms
const lost = document.getElementById("lost");

// Make `old` the same as `now`, touching as little as can be.
function merge(old, now) {
	if (old.isEqualNode(now))
		return;
	const a = [...old.childNodes], b = [...now.childNodes];
	const same = old.nodeName === now.nodeName && a.length === b.length &&
		a.length > 0;

	if (!same) {
		old.replaceWith(now);
		return;
	}
	for (const { name, value } of [...now.attributes])
		if (old.getAttribute(name) !== value)
			old.setAttribute(name, value);
	for (const { name } of [...old.attributes])
		if (!now.hasAttribute(name))
			old.removeAttribute(name);
	a.forEach((child, i) => {
		if (child.nodeType === Node.ELEMENT_NODE &&
			b[i].nodeType === Node.ELEMENT_NODE)
			merge(child, b[i]);
		else if (!child.isEqualNode(b[i]))
			child.replaceWith(b[i]);
	});
}

async function refresh() {
	const answer = await fetch(location.href, { cache: "no-store" });

	if (!answer.ok)
		throw new Error("the server answered " + answer.status);
	const page = new DOMParser().parseFromString(
		await answer.text(), "text/html");

	merge(document.querySelector("main"), page.querySelector("main"));
}

async function again() {
	try {
		if (!document.hidden)
			await refresh();
		lost.textContent = "";
	} catch (e) {
		lost.textContent = "Not fresh: " + e.message;
	}
	setTimeout(again, EVERY);
}

setTimeout(again, EVERY);
