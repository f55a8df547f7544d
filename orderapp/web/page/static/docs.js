/* The requests of the API's description, tried in place: each form sends what is entered and shows
   status, headers and body; the command for curl follows what is entered. */

import { offerCopy } from "./clipboard.js";
import { quoted } from "./command.js";
import { byId } from "./text.js";

/** Characters of a body that are shown. */
const MOST = 65_536;

class Trial {
  #form;
  #command;
  #said;
  #answer;
  #stop;
  #controller = null;

  constructor(form) {
    this.#form = form;
    this.#command = form.parentElement.querySelector("pre code");
    form.append(byId("answer").content.cloneNode(true));
    this.#said = form.querySelector(".said");
    this.#answer = this.#said.nextElementSibling;
    this.#stop = form.querySelector("[data-stop]");
    this.#stop.addEventListener("click", () => this.#controller?.abort());
    form.addEventListener("input", () => this.#showCommand());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    offerCopy(form.querySelector("[data-copy]"), () => this.#command.textContent, this.#command);
    form.hidden = false;
    this.#showCommand();
  }

  /** What is entered, as a request. Its token stands apart: no command shows it. */
  #request() {
    const { method, path } = this.#form.dataset;
    const query = new URLSearchParams();
    const headers = {};
    let target = path.slice(1);
    for (const field of this.#form.querySelectorAll("[data-in]")) {
      const { name, value } = field;
      if (field.dataset.in === "path") target = target.replace(`{${name}}`, encodeURIComponent(value));
      else if (value && field.dataset.in === "query") query.set(name, value);
      else if (value) headers[name] = value;
    }
    const { body, token } = this.#form.elements;
    if (body) headers["Content-Type"] = "application/json";
    const url = new URL(query.size > 0 ? `${target}?${query}` : target, document.baseURI).href;
    return { method, url, headers, body: body?.value, token: token?.value };
  }

  #showCommand() {
    const { method, url, headers, body, token } = this.#request();
    const usual = body === undefined ? "GET" : "POST";
    const lines = [
      `curl -sN ${method === usual ? "" : `-X ${method} `}${quoted(url)}`,
      ...Object.entries(headers).map(([name, value]) => `-H ${quoted(`${name}: ${value}`)}`),
    ];
    if (token) lines.push('-H "Authorization: Bearer $ORDERAPP_API_TOKEN"');
    if (body !== undefined) lines.push(`-d ${quoted(body)}`);
    this.#command.textContent = lines.join(" \\\n    ");
  }

  async #send() {
    this.#controller?.abort();
    const controller = new AbortController();
    this.#controller = controller;
    const { method, url, headers, body, token } = this.#request();
    if (token) headers.Authorization = `Bearer ${token}`;
    const began = performance.now();
    this.#say("Sending …");
    this.#answer.hidden = true;
    this.#stop.hidden = false;
    try {
      const { signal } = controller;
      const response = await fetch(url, { method, headers, body, signal, cache: "no-store" });
      const took = Math.round(performance.now() - began);
      this.#say(`${response.status} ${response.statusText}, ${took} ms`, response.ok ? "good" : "bad");
      await this.#show(response, controller);
    } catch {
      if (this.#controller !== controller) return; // another request has taken its place
      if (!controller.signal.aborted) this.#say("There is no connection to the worker, or a header can't be sent.", "bad");
      else if (this.#answer.hidden) this.#say("Stopped.");
    }
    if (this.#controller === controller) this.#stop.hidden = true;
  }

  #say(text, tone = "") {
    this.#said.textContent = text;
    this.#said.dataset.tone = tone;
  }

  /** As it arrives: an event stream has no end. */
  async #show(response, controller) {
    const [head, body] = this.#answer.querySelectorAll("pre");
    head.textContent = [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
    body.textContent = "";
    this.#answer.hidden = false;
    if (response.body === null) return;
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let length = 0;
    for (;;) {
      const { done, value } = await reader.read();
      if (this.#controller !== controller) return;
      if (done) break;
      body.append(value.slice(0, MOST - length));
      length += value.length;
      if (length > MOST) {
        controller.abort();
        this.#say(`${this.#said.textContent}; the first ${MOST} characters of the body are shown`);
        return;
      }
    }
    if (/json/.test(response.headers.get("Content-Type"))) body.textContent = indented(body.textContent);
  }
}

function indented(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

for (const form of document.querySelectorAll("form.try")) new Trial(form);
