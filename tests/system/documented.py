"""Answers requests as an OpenAPI document says: 404 for a path that it lacks, 400 for a request that it does not permit."""

import json
import urllib.parse

TEXTS = {"date-time": "2026-01-01T00:00:00Z", "uri": "https://example.com/x", "uuid": "0" * 8 + "-0000-4000-8000-" + "0" * 12}
TYPES = {"string": str, "boolean": bool, "object": dict, "array": list, "integer": int, "number": (int, float)}


class Document:
    def __init__(self, path):
        self.root = json.loads(path.read_text())

    def resolved(self, value):
        while "$ref" in value:
            names = value["$ref"].removeprefix("#/").split("/")
            value = self.root
            for name in names:
                value = value[name.replace("~1", "/").replace("~0", "~")]
        return value

    def answer(self, method, target, body):
        path, _, query = target.partition("?")
        found = self.operation(method, [urllib.parse.unquote(name) for name in path.split("/")])
        if found is None:
            return 404, {"error": f"no operation {method} {path}"}
        query = dict(urllib.parse.parse_qsl(query, strict_parsing=True)) if query else {}
        problem = self.problem(found, query, body)
        if problem:
            return 400, {"error": problem}
        code = min(code for code in found["responses"] if code[0] in "2d")
        response = self.resolved(found["responses"][code])
        media = response.get("content", {}).get("application/json", {})
        code = 200 if code == "default" else int(code)
        return code, self.example(media.get("schema", {}), 0)

    def operation(self, method, names):
        for template, item in self.root["paths"].items():
            parts = template.split("/")
            same = all(part == name or part[:1] == "{" and name for part, name in zip(parts, names))
            if len(parts) == len(names) and same and method.lower() in item:
                return item[method.lower()]
        return None

    def problem(self, operation, query, body):
        parameters = [self.resolved(one) for one in operation.get("parameters", [])]
        known = {one["name"]: one for one in parameters if one["in"] == "query"}
        for name, one in known.items():
            if one.get("required") and name not in query:
                return f"the parameter {name} is missing"
        for name, text in query.items():
            if name not in known:
                return f"the parameter {name} is unknown"
            if self.resolved(known[name]["schema"]).get("type") == "integer" and not text.isdigit():
                return f"the parameter {name} is no number"
        media = self.resolved(operation.get("requestBody", {})).get("content", {}).get("application/json")
        if media is None:
            return "a body was sent" if body else None
        return self.misfit(media["schema"], json.loads(body), "body")

    def misfit(self, schema, value, place):
        schema = self.resolved(schema)
        kind = schema.get("type")
        if kind and not isinstance(value, TYPES[kind]):
            return f"{place} is no {kind}"
        if kind == "array":
            found = [self.misfit(schema["items"], one, place + "[]") for one in value]
            return next(filter(None, found), None)
        properties = schema.get("properties", {})
        for name in schema.get("required", []):
            if name not in value:
                return f"{place}.{name} is missing"
        for name, one in value.items() if properties else []:
            if name not in properties:
                return f"{place}.{name} is unknown"
            problem = self.misfit(properties[name], one, f"{place}.{name}")
            if problem:
                return problem
        return None

    def example(self, schema, depth):
        schema = self.resolved(schema)
        if "enum" in schema:
            return schema["enum"][0]
        kind = schema.get("type", "object")
        if kind == "array":
            return [self.example(schema["items"], depth + 1)] if depth < 6 else []
        if kind == "object":
            properties = schema.get("properties", {}).items() if depth < 6 else []
            return {name: self.example(one, depth + 1) for name, one in properties}
        return {"string": TEXTS.get(schema.get("format"), "text"), "boolean": True}.get(kind, 7)
