"""Errors of the API, as data.

Sources: https://support.huaweicloud.com/intl/en-us/api-dcs/ErrorCode.html for `DCS.*`,
https://support.huaweicloud.com/intl/en-us/devg-apisign/api-sign-errorcode.html for `APIGW.*`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.responses import Response

# Code -> HTTP status and message, in which `{}` is replaced.
_TABLE: Mapping[str, tuple[int, str]] = {
    "APIGW.0101": (404, "API does not exist or has not been published in the environment"),
    "APIGW.0201": (400, "Bad request: {}"),
    "APIGW.0301": (401, "Incorrect IAM authentication information: {}"),
    "APIGW.0308": (429, "The throttling threshold has been reached: policy user over ratelimit,{}"),
    "DCS.1001": (401, "Invalid token."),
    "DCS.1002": (401, "Token expired."),
    "DCS.1003": (401, "No token in the request."),
    "DCS.1004": (401, "Project ID does not match the token."),
    "DCS.2007": (403, "Policy does not allow {} to be performed."),
    "DCS.3022": (404, "This DCS instance does not exist."),
    "DCS.3053": (400, "Incorrect node ID."),
    # The table has no code for a job that does not exist. Of its codes with 404, this one fits: the
    # URL of the job does not exist.
    "DCS.4001": (404, "The requested URL does not exist."),
    "DCS.4004": (400, "Empty request body."),
    "DCS.4005": (400, "The message body contains invalid characters or is not in JSON format."),
    "DCS.4070": (400, "Invalid task ID format."),
    "DCS.4800": (400, "Invalid {} in the request."),
    "DCS.4957": (400, "This operation is not allowed when the task is in the current state."),
    "DCS.5000": (500, "Internal service error."),
    "DCS.5001": (405, "This request method is not allowed."),
    "DCS.5053": (500, "Instance node not found."),
}


class ApiError(Exception):
    """An error response of the API.

    Args:
        code: Error code.
        filling: Replacement of `{}` in the message.
        detail: `error_ext_msg`, which the service leaves null. The emulator explains the error in
            it.
        headers: Headers of the response.

    Attributes:
        cut: Function of a fault that shortens the response, or None.
    """

    cut: Callable[[Response], Response] | None = None

    def __init__(
        self,
        code: str,
        filling: str = "",
        *,
        detail: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.code = code
        self.status, message = _TABLE[code]
        self.message = message.format(filling)
        self.detail = detail
        self.headers = headers
        super().__init__(f"{code}: {self.message}")

    def response(self, request_id: str) -> JSONResponse:
        """Return the response. Errors of the gateway have another format."""
        if self.code.startswith("APIGW."):
            body: dict[str, str | None] = {
                "error_msg": self.message,
                "error_code": self.code,
                "request_id": request_id,
            }
        else:
            body = {
                "error_code": self.code,
                "error_msg": self.message,
                "error_ext_msg": self.detail,
            }
        return JSONResponse(body, self.status, self.headers)
