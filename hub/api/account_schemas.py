"""Bodies of the account routes. Names and shapes: CSGHub contract, sections 4.6 and 5.6."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from hub.accounts.models import Role, TokenScope
from hub.accounts.passwords import MAX_PASSWORD_LENGTH
from hub.accounts.service.email_codes import MAX_EMAIL_CODE_CHARS
from hub.accounts.service.fields import MAX_EMAIL_LENGTH, MAX_ZONE_CHARS
from hub.accounts.service.second_factors import MAX_CODE_CHARS
from hub.accounts.service.users import LABELS
from hub.api.schemas import Body, PageQuery


class Moment(fields.AwareDateTime):
    """A time in UTC, whatever zone it is told in; in UTC where none is told."""

    def __init__(self, **options: Any) -> None:
        super().__init__(default_timezone=UTC, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> datetime:
        moment = super()._deserialize(value, attr, data, **options)
        try:
            return moment.astimezone(UTC)
        except OverflowError:  # the year 9999 in a zone west of Greenwich
            raise ValidationError("This time cannot be told in UTC.") from None


class NamespaceKeysSchema(Schema):
    """A namespace as its own route tells of it: its keys are capitalised (CSGHub contract, section 9)."""

    Path = fields.String()
    Type = fields.String(metadata={"description": "user or organization"})
    UUID = fields.String()
    Avatar = fields.String()


class NamespaceSchema(NamespaceKeysSchema):
    """A namespace inside of what it belongs to: each key in both spellings."""

    path = fields.String()
    type = fields.String(metadata={"description": "user or organization"})
    uuid = fields.String()
    avatar = fields.String()


def _time_zone() -> fields.String:
    return fields.String(
        validate=validate.Length(max=MAX_ZONE_CHARS),
        metadata={"description": "in which days of the account begin, such as Asia/Shanghai; empty: UTC"},
    )


class OrganizationSchema(Schema):
    path = fields.String(metadata={"description": "the unique name"})
    name = fields.String(metadata={"description": "the name that pages show"})
    description = fields.String()
    homepage = fields.String()
    logo = fields.String()
    org_type = fields.String()
    time_zone = _time_zone()
    verified = fields.Boolean()
    verify_status = fields.String(metadata={"description": "none, pending, approved or rejected"})
    uuid = fields.String()
    namespace = fields.Nested(NamespaceSchema)
    role = fields.String(
        metadata={"description": "the viewer's or listed user's role, for those who may know it; an owner's is admin"}
    )
    is_owner = fields.Boolean(metadata={"description": "with role: whether it is an owner's"})
    created_at = fields.DateTime()


class UserSchema(Schema):
    id = fields.Integer()
    username = fields.String()
    nickname = fields.String()
    email = fields.String()
    uuid = fields.String()
    avatar = fields.String()
    bio = fields.String()
    homepage = fields.String()
    time_zone = _time_zone()
    roles = fields.List(fields.String())
    last_login_at = fields.DateTime()
    orgs = fields.List(fields.Nested(OrganizationSchema))
    can_change_username = fields.Boolean()
    verify_status = fields.String(metadata={"description": "none, pending, approved or rejected"})
    labels = fields.List(fields.String(), metadata={"description": "words of the administrators"})
    is_active = fields.Boolean()
    created_at = fields.DateTime()
    tags = fields.List(fields.String())
    namespaces = fields.List(fields.Nested(NamespaceSchema))


class PictureSchema(Schema):
    url = fields.String(metadata={"description": "where the picture is; another one has another address"})


class CredentialSchema(Schema):
    type = fields.String(metadata={"description": "token, password or session"})
    scope = fields.String(metadata={"description": "read, write or admin; absent: no limit"})
    csrf_token = fields.String(metadata={"description": "what a session's writes carry in X-CSRF-Token"})


class WhoamiSchema(UserSchema):
    auth = fields.Nested(CredentialSchema)


class MemberSchema(Schema):
    username = fields.String()
    nickname = fields.String()
    uuid = fields.String()
    avatar = fields.String()
    role = fields.String(metadata={"description": "admin, write or read; an owner's is admin"})
    is_owner = fields.Boolean(metadata={"description": "with role: whether it is an owner's"})
    last_login_at = fields.DateTime()


class TokenInfoSchema(Schema):
    id = fields.Integer()
    token = fields.String(metadata={"description": "masked, except where it was just made"})
    token_name = fields.String()
    application = fields.String()
    permission = fields.String(metadata={"description": "read, write or admin"})
    user_name = fields.String()
    user_uuid = fields.String()
    expire_at = fields.DateTime(allow_none=True)
    last_used_at = fields.DateTime(allow_none=True)
    created_at = fields.DateTime()
    updated_at = fields.DateTime()
    token_type = fields.String()
    ns_uuid = fields.String(metadata={"description": "of the user's namespace"})
    quota_type = fields.String(metadata={"description": "empty: these tokens have no quota"})
    quota_value_type = fields.String()
    usage = fields.Integer()
    quota = fields.Integer()


class NewTokenSchema(Schema):
    id = fields.Integer()
    git_id = fields.Integer()
    name = fields.String()
    token = fields.String()
    user_id = fields.Integer()
    user = fields.Nested(UserSchema)
    application = fields.String()
    permission = fields.String()
    is_active = fields.Boolean()
    expired_at = fields.DateTime(allow_none=True)
    ns_uuid = fields.String()
    token_type = fields.String()
    created_at = fields.DateTime()
    updated_at = fields.DateTime()


class SSHKeySchema(Schema):
    id = fields.Integer()
    git_id = fields.Integer()
    name = fields.String()
    content = fields.String()
    user_id = fields.Integer()
    fingerprint_sha256 = fields.String()
    created_at = fields.DateTime()
    updated_at = fields.DateTime()


class RegistrationBody(Body):
    username = fields.String(required=True)
    email = fields.String(required=True)
    password = fields.String(required=True, load_only=True)
    nickname = fields.String(load_default="")
    invitation = fields.String(load_default="", load_only=True, metadata={"description": "the code of an invitation"})


class SignInBody(Body):
    username = fields.String(required=True, metadata={"description": "the user's name or e-mail address"})
    password = fields.String(required=True, load_only=True)
    code = fields.String(
        load_default="",
        load_only=True,
        validate=validate.Length(max=MAX_CODE_CHARS),
        metadata={"description": "of the second factor, or a recovery code; where the account has one"},
    )
    remember_device = fields.Boolean(
        load_default=False, metadata={"description": "with a code: this browser needs none for 30 days"}
    )


class SessionSchema(Schema):
    id = fields.Integer()
    user_agent = fields.String(metadata={"description": "what the browser called itself when it signed in"})
    address = fields.String(metadata={"description": "the network address that it signed in from"})
    created_at = fields.DateTime()
    last_seen_at = fields.DateTime()
    expires_at = fields.DateTime(metadata={"description": "when it ends if it is not used"})
    is_current = fields.Boolean(metadata={"description": "whether it is the one that asks"})


class EndedSessionsSchema(Schema):
    ended = fields.Integer(metadata={"description": "how many sessions were ended"})


class ResetRequestBody(Body):
    login = fields.String(
        required=True,
        validate=validate.Length(min=1, max=MAX_EMAIL_LENGTH),
        metadata={"description": "the account's name or e-mail address", "example": "ada"},
    )


class ResetBody(Body):
    token = fields.String(required=True, metadata={"description": "from the link in the e-mail"})
    new_password = fields.String(required=True, load_only=True)


class SetUpBody(RegistrationBody):
    code = fields.String(
        load_default="",
        load_only=True,
        metadata={"description": "what `hub serve` prints; not asked for on the machine itself"},
    )


class TestMailBody(Body):
    address = fields.String(required=True, validate=validate.Length(max=MAX_EMAIL_LENGTH))


class AskedJobSchema(Schema):
    job = fields.String(metadata={"description": "the job's uuid"})


class PasswordBody(Body):
    old_password = fields.String(load_default="", validate=validate.Length(max=MAX_PASSWORD_LENGTH * 4))
    new_password = fields.String(required=True)


class EmailCodeSchema(Schema):
    email = fields.String(metadata={"description": "the address that the code is sent to"})


class UpdateUserBody(Body):
    name = fields.String(metadata={"description": "the nickname"})
    nickname = fields.String()
    email = fields.String()
    email_verification_code = fields.String(
        load_default="",
        validate=validate.Length(max=MAX_EMAIL_CODE_CHARS),
        metadata={"description": "what was sent to a new address; where the hub sends e-mail"},
    )
    avatar = fields.String()
    homepage = fields.String()
    bio = fields.String()
    time_zone = _time_zone()
    roles = fields.List(fields.String(), metadata={"description": "admin or personal_user; for site administrators"})
    new_username = fields.String(
        metadata={"description": "a new name of the user and their namespace; old addresses lead to the new ones"}
    )


class UserLabelsBody(Body):
    id = fields.String(required=True, metadata={"description": "the user's uuid"})
    labels = fields.List(
        fields.String(validate=validate.OneOf(LABELS)), required=True, validate=validate.Length(max=20)
    )


class DepartureQuery(Body):
    repository = fields.Boolean(
        load_default=False,
        metadata={"description": "delete the repositories, too; without, an account that has some is not deleted"},
    )
    discussion = fields.Boolean(
        load_default=False,
        metadata={"description": "delete the discussions and comments, too; without, they stay without an author"},
    )


class CreateOrganizationBody(Body):
    name = fields.String(required=True, metadata={"description": "the unique name, of less than 30 characters"})
    nickname = fields.String(load_default="")
    description = fields.String(load_default="")
    homepage = fields.String(load_default="")
    logo = fields.String(load_default="")
    org_type = fields.String(load_default="", metadata={"description": "enterprise, school and the like"})


class EditOrganizationBody(Body):
    nickname = fields.String()
    description = fields.String()
    homepage = fields.String()
    logo = fields.String()
    org_type = fields.String()
    time_zone = _time_zone()
    verified = fields.Boolean(metadata={"description": "for site administrators"})


_ROLES = [role.value for role in Role]
_ROLE = validate.OneOf(_ROLES)


class AddMembersBody(Body):
    users = fields.String(required=True, metadata={"description": "names, separated by commas"})
    role = fields.String(required=True, validate=_ROLE)


class RemoveMemberBody(Body):
    role = fields.String(
        validate=validate.OneOf(["", *_ROLES]),
        load_default="",
        metadata={"description": "the role that the member is believed to have; empty: whatever it is"},
    )


class ChangeMemberBody(Body):
    old_role = fields.String(validate=_ROLE, allow_none=True, load_default=None)
    new_role = fields.String(required=True, validate=_ROLE)


class TokenBody(Body):
    expired_at = Moment(allow_none=True, load_default=None)
    permission = fields.String(
        validate=validate.OneOf([scope.value for scope in TokenScope]), load_default=TokenScope.WRITE.value
    )
    user_code = fields.String(
        load_default="",
        validate=validate.Length(max=64),
        metadata={"description": "that a program shows, which is to have the token"},
    )


class RefreshTokenBody(Body):
    expired_at = Moment(allow_none=True, load_default=None)


class JWTBody(Body):
    uuid = fields.String(required=True, metadata={"description": "of the user whom the token stands for"})
    old_token = fields.String(load_default="", metadata={"description": "a token of the user that is revoked"})


class JWTSchema(Schema):
    token = fields.String()
    expire_at = fields.DateTime()


class SSHKeyBody(Body):
    name = fields.String(load_default="")
    content = fields.String(required=True)


class UserQuery(Body):
    type = fields.String(load_default="", metadata={"description": "uuid: the path holds the user's uuid"})


class SearchQuery(PageQuery):
    search = fields.String(load_default="")


class OrganizationsQuery(SearchQuery):
    org_type = fields.String(load_default="")
    verify_status = fields.String(load_default="", metadata={"description": "none, pending, approved or rejected"})
    tag = fields.String(load_default="", metadata={"description": "a label; no organisation carries any yet"})


class UserOrganizationsQuery(OrganizationsQuery):
    role = fields.String(load_default="", metadata={"description": "all, owner, admin (owners, too), write or read"})


class UsersQuery(SearchQuery):
    exact_match = fields.Boolean(load_default=False)
    verify_status = fields.String(load_default="", metadata={"description": "none, pending, approved or rejected"})
    labels = fields.List(fields.String(), load_default=list, metadata={"description": "any of these; repeatable"})
    sort_by = fields.String(
        load_default="", metadata={"description": "username, created_at, updated_at or last_login_at"}
    )
    sort_order = fields.String(load_default="asc", validate=validate.OneOf(["", "asc", "desc"]))


class UserVerificationBody(Body):
    real_name = fields.String(required=True)
    id_card_front = fields.String(required=True, metadata={"description": "where the image is"})
    id_card_back = fields.String(required=True, metadata={"description": "where the image is"})


class OrganizationVerificationBody(Body):
    path = fields.String(required=True, metadata={"description": "the organisation's unique name"})
    company_name = fields.String(required=True)
    unified_credit_code = fields.String(required=True)
    contact_name = fields.String(required=True)
    contact_email = fields.String(required=True)
    business_license_img = fields.String(required=True, metadata={"description": "where the image is"})


class DecisionBody(Body):
    status = fields.String(required=True, validate=validate.OneOf(["approved", "rejected"]))
    reason = fields.String(load_default="")


class _VerificationSchema(Schema):
    id = fields.Integer()
    uuid = fields.String(metadata={"description": "of the user or organisation"})
    status = fields.String(metadata={"description": "pending, approved or rejected"})
    reason = fields.String()
    created_at = fields.DateTime()
    updated_at = fields.DateTime()


class UserVerificationSchema(_VerificationSchema):
    username = fields.String()
    real_name = fields.String()
    id_card_front = fields.String()
    id_card_back = fields.String()


class OrganizationVerificationSchema(_VerificationSchema):
    path = fields.String()
    company_name = fields.String()
    unified_credit_code = fields.String()
    contact_name = fields.String()
    contact_email = fields.String()
    business_license_img = fields.String()


class TokensQuery(Body):
    app = fields.String(load_default=None)
