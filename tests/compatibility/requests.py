"""What of a change to `/openapi.json` breaks clients that were generated from it before.

Compatible are new operations, parameters and fields that may be left out, statuses of errors,
and limits on requests that are wider. Values of an enumeration that are answered are closed:
clients in many languages fail on one that they do not know.
"""

#: Of what is sent: a limit, and whether the new one refuses what the old one took.
_LIMITS = {
    "minimum": lambda old, new: old is None or new > old,
    "minLength": lambda old, new: old is None or new > old,
    "maximum": lambda old, new: old is None or new < old,
    "maxLength": lambda old, new: old is None or new < old,
    "pattern": lambda old, new: old != new,
}


def breaks(old, new):
    """Each break, in one line that names its place."""
    found = []
    for path, methods in old["paths"].items():
        for method, operation in methods.items():
            place = f"{method.upper()} {path}"
            there = new["paths"].get(path, {}).get(method)
            if there is None:
                found.append(f"{place}: removed")
            else:
                found += Comparison(old, new).operation(place, operation, there)
    return found


class Comparison:
    """Of two documents with schemas."""

    def __init__(self, old, new):
        self.documents = old, new
        self.found = []
        self.seen = set()

    def operation(self, place, old, new):
        for name in ("operationId", "tags"):
            if old[name] != new[name]:
                self.found.append(
                    f"{place}: {name} is {new[name]}, which renames it in clients"
                )
        if _is_open(old) and not _is_open(new):
            self.found.append(f"{place}: needs a token")
        self._parameters(place, _by_name(old), _by_name(new))
        self._body(f"{place}: the body", old.get("requestBody"), new.get("requestBody"))
        for status, answer in old["responses"].items():
            self._answer(f"{place}: {status}", answer, new["responses"].get(status))
        for status in new["responses"].keys() - old["responses"].keys():
            if status < "400":
                self.found.append(f"{place}: {status} is new")
        return self.found

    def _parameters(self, place, old, new):
        for key, parameter in old.items():
            where = f"{place}: the parameter {key[0]}"
            if key not in new:
                self.found.append(f"{where} is removed, and refused")
                continue
            if new[key]["required"] and not parameter["required"]:
                self.found.append(f"{where} is required")
            self.schema(where, parameter["schema"], new[key]["schema"], is_answer=False)
        for key in new.keys() - old.keys():
            if new[key]["required"]:
                self.found.append(f"{place}: the parameter {key[0]} is new and required")

    def _body(self, place, old, new):
        if old is None or new is None:
            if old != new:
                self.found.append(f"{place} is {'new' if new else 'removed'}")
            return
        self._contents(place, old["content"], new["content"], is_answer=False)

    def _answer(self, place, old, new):
        if new is None:
            self.found.append(f"{place} is removed")
            return
        for name in old.get("headers", {}).keys() - new.get("headers", {}).keys():
            self.found.append(f"{place}: the header {name} is removed")
        self._contents(place, old["content"], new["content"], is_answer=True)

    def _contents(self, place, old, new, *, is_answer):
        for media, content in old.items():
            if media not in new:
                self.found.append(f"{place}: {media} is removed")
                continue
            self.schema(place, content["schema"], new[media]["schema"], is_answer=is_answer)
            for event, schema in content.get("x-events", {}).items():
                there = new[media].get("x-events", {}).get(event)
                if there is None:
                    self.found.append(f"{place}: the event {event} is removed")
                else:
                    self.schema(f"{place}: {event}", schema, there, is_answer=True)

    def schema(self, place, old, new, *, is_answer):
        """Note what breaks who sends such a value, or who reads it as an answer."""
        key = (old.get("$ref"), new.get("$ref"), is_answer)
        if key[0] and key in self.seen:
            return
        self.seen.add(key)
        old, old_null = _plain(old, self.documents[0])
        new, new_null = _plain(new, self.documents[1])
        if old_null != new_null and new_null == is_answer:
            self.found.append(f"{place} {'may be' if is_answer else 'may no longer be'} null")
        for name in ("type", "format"):
            if old.get(name) != new.get(name):
                was = old.get(name)
                self.found.append(f"{place} has the {name} {new.get(name)}, and had {was}")
        self._values(place, old, new, is_answer)
        self._fields(place, old, new, is_answer)
        for name in ("items", "additionalProperties"):
            if isinstance(old.get(name), dict) and isinstance(new.get(name), dict):
                self.schema(f"{place}: each", old[name], new[name], is_answer=is_answer)

    def _values(self, place, old, new, is_answer):
        first, second = (new, old) if is_answer else (old, new)
        if "enum" in second and {*first.get("enum", [None])} - {*second["enum"]}:
            change = "more" if is_answer else "fewer"
            self.found.append(f"{place} has {change} values: {new.get('enum', 'any')}")
        for name, is_narrower in _LIMITS.items():
            if not is_answer and name in new and is_narrower(old.get(name), new[name]):
                self.found.append(f"{place} has the {name} {new[name]}")

    def _fields(self, place, old, new, is_answer):
        before, now = old.get("properties", {}), new.get("properties", {})
        for name in before:
            if name in now:
                self.schema(f"{place}.{name}", before[name], now[name], is_answer=is_answer)
            elif is_answer or new.get("additionalProperties") is False:
                self.found.append(f"{place}.{name} is removed")
        required, always = {*old.get("required", ())}, {*new.get("required", ())}
        if is_answer:
            self.found += [f"{place}.{n} may be missing" for n in (required - always) & {*now}]
        else:
            self.found += [f"{place}.{name} is required" for name in always - required]


def _is_open(operation):
    return not operation["security"] or {} in operation["security"]


def _by_name(operation):
    return {(p["name"], p["in"]): p for p in operation["parameters"]}


def _plain(schema, document):
    """A schema without its reference, and whether it may be null."""
    if "anyOf" in schema:
        kinds = [one for one in schema["anyOf"] if one != {"type": "null"}]
        is_nullable = len(kinds) < len(schema["anyOf"])
        # Of several kinds only the list is compared.
        alone = _plain(kinds[0], document)[0] if len(kinds) == 1 else {"type": kinds}
        return alone, is_nullable
    if "$ref" in schema:
        return document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], False
    return schema, False
