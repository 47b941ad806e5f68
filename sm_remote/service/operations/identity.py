"""Who asks, and which roles there are: the few operations of STS and IAM that SageMaker's clients ask before a job.

Here is one user and no policy. So whoever asks is that user; every role exists, SageMaker may assume it, and nothing is
denied: which is what happens to a job's role on this machine. Both services speak the query protocol, in XML.
Source: API_GetCallerIdentity; API_GetRole, API_SimulatePrincipalPolicy.
"""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import Callable, Mapping
from xml.sax.saxutils import escape

from sm_remote.home import LOCAL_ACCOUNT
from sm_remote.service.api.errors import ApiError, invalid

_NAMESPACES = {
    "sts": "https://sts.amazonaws.com/doc/2011-06-15/",
    "iam": "https://iam.amazonaws.com/doc/2010-05-08/",
}
_SCOPE = re.compile(r"/([a-z0-9-]+)/aws4_request")
_USER_ARN = f"arn:aws:iam::{LOCAL_ACCOUNT}:user/sm-remote-local"
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}
_ROLE_NAME = re.compile(r"[\w+=,.@-]{1,64}")
"""Source: API_GetRole."""
_MEMBER = re.compile(r"ActionNames\.member\.\d+")

NO_S3 = (
    "<Error><Code>NotImplemented</Code><Message>There is no S3 here. Start the local training service with an S3 "
    "server (sm-remote service start --with-s3) and read its variables again (sm-remote service env), or set "
    "AWS_ENDPOINT_URL_S3 to yours.</Message></Error>"
)
"""What S3 requests are answered. Source: Amazon S3 API Reference, "Error responses"."""

Form = Mapping[str, str]


def find_query_service(authorization: str) -> str:
    """Which service a request says that it is signed for: the name in its signature's scope."""
    found = _SCOPE.search(authorization)
    return found[1] if found else "sts"


def is_signed_for_s3(authorization: str) -> bool:
    """Whether a request was meant for S3, by its signature's scope."""
    return "/s3/aws4_request" in authorization


def answer_query(service: str, form: Form, request_id: str) -> str:
    """Answers a request.

    Raises:
        ApiError: There is no such operation, or it asks for something that cannot be.
    """
    action = form.get("Action", "")
    operation = _OPERATIONS.get((service, action))
    if operation is None:
        raise ApiError("InvalidAction", f"Could not find operation {action}.")
    return (
        f'<{action}Response xmlns="{_NAMESPACES[service]}"><{action}Result>{operation(form)}</{action}Result>'
        f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{action}Response>"
    )


def render_query_refusal(service: str, error: ApiError, request_id: str) -> str:
    """A refusal in the query protocol."""
    namespace = _NAMESPACES.get(service, "")
    return (
        f'<ErrorResponse xmlns="{namespace}"><Error><Type>Sender</Type><Code>{escape(error.code)}</Code>'
        f"<Message>{escape(error.message)}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    )


def _get_caller_identity(_: Form) -> str:
    return f"<Arn>{_USER_ARN}</Arn><UserId>AIDASMREMOTELOCAL</UserId><Account>{LOCAL_ACCOUNT}</Account>"


def _get_role(form: Form) -> str:
    name = form.get("RoleName", "")
    if not _ROLE_NAME.fullmatch(name):
        raise invalid("RoleName must be 1 to 64 letters, digits or of +=,.@-_")
    # Source: API_Role; the trust policy is URL-encoded JSON.
    trust = urllib.parse.quote(json.dumps(_TRUST))
    return (
        f"<Role><Path>/</Path><RoleName>{escape(name)}</RoleName><RoleId>AROASMREMOTELOCAL</RoleId>"
        f"<Arn>arn:aws:iam::{LOCAL_ACCOUNT}:role/{escape(name)}</Arn><CreateDate>2026-01-01T00:00:00Z</CreateDate>"
        "<Description>Any role is taken on this machine, and none is assumed.</Description>"
        f"<AssumeRolePolicyDocument>{trust}</AssumeRolePolicyDocument></Role>"
    )


def _simulate_principal_policy(form: Form) -> str:
    actions = [value for name, value in form.items() if _MEMBER.fullmatch(name)]
    results = "".join(
        f"<member><EvalActionName>{escape(action)}</EvalActionName><EvalResourceName>*</EvalResourceName>"
        "<EvalDecision>allowed</EvalDecision><MatchedStatements/><MissingContextValues/></member>"
        for action in actions
    )
    return f"<IsTruncated>false</IsTruncated><EvaluationResults>{results}</EvaluationResults>"


_OPERATIONS: Mapping[tuple[str, str], Callable[[Form], str]] = {
    ("sts", "GetCallerIdentity"): _get_caller_identity,
    ("iam", "GetRole"): _get_role,
    ("iam", "SimulatePrincipalPolicy"): _simulate_principal_policy,
}
