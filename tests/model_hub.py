"""What the hub does with models besides serving them: it redirects, and it asks for consent.

Each is a `Fault` of `tests.hub_server`, made from what the hub answers: see the comments.
"""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler

from tests.hub_server import Fault


def gated(name: str) -> Fault:
    """A repository whose files ask for consent; its description is public.

    Without a token the hub answers 401, with the token of a user who has not consented 403. Both carry the code
    `GatedRepo` (huggingface_hub, `hf_raise_for_status`); the words are those of reports: ComfyUI_ExtraModels issue 99
    for 401, gemma3-object-detection issue 5 for 403.
    """
    words = {
        401: f"Access to model {name} is restricted. You must have access to it and be authenticated to access it. "
        "Please log in.",
        403: f"Access to model {name} is restricted and you are not in the authorized list. Visit "
        f"https://huggingface.co/{name} to ask for access.",
    }

    def answer(handler: BaseHTTPRequestHandler) -> bool:
        if not handler.path.startswith(f"/{name}/resolve/"):
            return False
        status = 403 if "Authorization" in handler.headers else 401
        _send(handler, status, {"X-Error-Code": "GatedRepo", "X-Error-Message": words[status]})
        return True

    return answer


def moved(old: str, new: str) -> Fault:
    """A repository that has another name by now: status 307 to the same path below it, on the same host.

    The address is relative (huggingface_hub issue 981 and pull request 983), in the interface as for files.
    """

    def answer(handler: BaseHTTPRequestHandler) -> bool:
        for prefix in ("/api/models/", "/"):
            if handler.path.startswith(f"{prefix}{old}/"):
                _send(handler, 307, {"Location": f"{prefix}{new}{handler.path.removeprefix(f'{prefix}{old}')}"})
                return True
        return False

    return answer


def first_of(*faults: Fault) -> Fault:
    """Lets each look at a request until one answers it."""
    return lambda handler: any(fault(handler) for fault in faults)


def _send(handler: BaseHTTPRequestHandler, status: int, headers: dict[str, str]) -> None:
    handler.send_response(status)
    for name, value in {**headers, "Content-Length": "0"}.items():
        handler.send_header(name, value)
    handler.end_headers()
