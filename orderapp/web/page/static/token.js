/* The field that asks for the token, wherever this page may change something with one. */

export class TokenField {
  #access;
  #field;
  #input;

  /** `field` is the label around the input. */
  constructor(access, field) {
    this.#access = access;
    this.#field = field;
    this.#input = field.querySelector("input");
  }

  get isFocused() {
    return document.activeElement === this.#input;
  }

  get isShown() {
    return !this.#field.hidden;
  }

  show(shown) {
    this.#field.hidden = !shown;
    this.#input.removeAttribute("aria-invalid");
  }

  focus() {
    this.#input.focus();
  }

  /** The headers with what was entered, else with the token that was given before. */
  headers() {
    this.#access.token = this.#input.value || this.#access.token;
    return this.#access.headers;
  }

  /** None came, or not the right one (401). */
  ask() {
    this.#access.changes = "token";
    this.show(true);
    this.#input.setAttribute("aria-invalid", "true");
    this.#input.focus();
  }
}
