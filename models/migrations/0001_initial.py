"""Every table, constraint and index of the first version."""

from orjson import loads
from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.fields.data import JSON_DUMPS
from tortoise.migrations import operations as ops

from models.accounts.accounts import AccountState
from models.accounts.actors import PlatformRole
from models.accounts.profiles import Language
from models.accounts.tokens import Purpose
from models.attachments.attachments import AttachmentStatus, Role
from models.db.schema_operations import CreateTable
from models.mail.outbox import MailState
from models.structures.identifiers import IdentifierType
from models.structures.structures import StructureKind, StructureStatus
from models.subscriptions.spaces import SpaceCode
from models.subscriptions.subscriptions import SpaceSubscriptionStatus, SubscriptionMode


class Migration(migrations.Migration):
    initial = True

    operations = [
        CreateTable(
            name="Account",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True)),
                ("login_email", fields.CharField(max_length=254)),
                ("login_key", fields.CharField(max_length=254)),
                ("contact_email", fields.CharField(max_length=254)),
                ("pending_contact_email", fields.CharField(null=True, max_length=254)),
                ("first_name", fields.CharField(max_length=80)),
                ("last_name", fields.CharField(max_length=80)),
                ("folded_name", fields.CharField(max_length=512)),
                ("folded_particulars", fields.TextField(unique=False)),
                ("phone", fields.CharField(null=True, max_length=32)),
                ("line1", fields.CharField(null=True, max_length=160)),
                ("line2", fields.CharField(null=True, max_length=160)),
                ("line3", fields.CharField(null=True, max_length=160)),
                ("postcode", fields.CharField(null=True, max_length=20)),
                ("city", fields.CharField(null=True, max_length=120)),
                ("country", fields.CharField(null=True, max_length=2)),
                ("language", fields.CharEnumField(default=Language.FR, enum_type=Language, max_length=2)),
                ("time_zone", fields.CharField(default="Europe/Paris", max_length=64)),
                ("receive_activity_notifications", fields.BooleanField(default=False)),
                ("password_hash", fields.CharField(null=True, max_length=200)),
                ("secret_question", fields.CharField(null=True, max_length=255)),
                ("secret_answer_hash", fields.CharField(null=True, max_length=200)),
                (
                    "state",
                    fields.CharEnumField(
                        default=AccountState.PENDING_ACTIVATION, enum_type=AccountState, max_length=20
                    ),
                ),
                ("platform_role", fields.CharEnumField(null=True, enum_type=PlatformRole, max_length=10)),
                ("created_at", fields.DatetimeField()),
                ("terms_accepted_at", fields.DatetimeField(null=True)),
                ("activated_at", fields.DatetimeField(null=True)),
                ("deactivated_at", fields.DatetimeField(null=True)),
                ("last_signed_in_at", fields.DatetimeField(null=True)),
            ],
            checks={
                "account_state_known": "state IN ('PENDING_ACTIVATION', 'ACTIVE', 'DEACTIVATED', 'CLOSED', 'SUSPENDED')",
                "account_language_known": "language IN ('FR', 'EN')",
                "account_platform_role_known": "platform_role IN ('SUPPORT', 'ADMIN')",
                "account_active_has_password": "state NOT IN ('ACTIVE', 'DEACTIVATED') OR password_hash IS NOT NULL",
                "account_deactivated_has_date": "CASE state WHEN 'DEACTIVATED' THEN deactivated_at IS NOT NULL"
                " WHEN 'SUSPENDED' THEN 1 = 1 ELSE deactivated_at IS NULL END",
                "account_address_whole": "(line1 IS NULL AND postcode IS NULL AND city IS NULL AND country IS NULL) OR (line1 IS NOT NULL AND postcode IS NOT NULL AND city IS NOT NULL AND country IS NOT NULL)",
            },
            options={"table": "accounts", "pk_attr": "id"},
        ),
        CreateTable(
            name="Brake",
            fields=[
                ("key", fields.CharField(primary_key=True, unique=True, db_index=True, max_length=64)),
                ("tries", fields.IntField()),
                ("began_at", fields.DatetimeField()),
                ("last_try_at", fields.DatetimeField()),
            ],
            checks={
                "brake_tries_positive": "tries >= 0",
            },
            options={"table": "brakes", "pk_attr": "key"},
        ),
        ops.CreateModel(
            name="FormerPassword",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True)),
                (
                    "account",
                    fields.ForeignKeyField(
                        "models.Account",
                        source_field="account_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("password_hash", fields.CharField(max_length=200)),
                ("created_at", fields.DatetimeField()),
            ],
            options={"table": "former_passwords", "pk_attr": "id"},
        ),
        CreateTable(
            name="Mail",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True)),
                ("message", fields.CharField(max_length=64)),
                ("payload", fields.JSONField(encoder=JSON_DUMPS, decoder=loads)),
                ("key", fields.CharField(null=True, unique=True, max_length=200)),
                ("message_id", fields.CharField(unique=True, max_length=320)),
                ("address", fields.CharField(max_length=320)),
                ("recipient_name", fields.CharField(max_length=300)),
                ("language", fields.CharField(max_length=2)),
                ("time_zone", fields.CharField(max_length=64)),
                ("account_id", fields.BigIntField(null=True)),
                ("state", fields.CharEnumField(default=MailState.PENDING, enum_type=MailState, max_length=12)),
                ("created_at", fields.DatetimeField()),
                ("due_at", fields.DatetimeField()),
                ("give_up_at", fields.DatetimeField()),
                ("expires_at", fields.DatetimeField(null=True)),
                ("attempts", fields.IntField(default=0)),
                ("lease_owner", fields.CharField(null=True, max_length=100)),
                ("lease_until", fields.DatetimeField(null=True)),
                ("sent_at", fields.DatetimeField(null=True)),
                ("last_error", fields.TextField(null=True, unique=False)),
            ],
            checks={
                "outbox_state_known": "state IN ('PENDING', 'SENT', 'REFUSED', 'EXHAUSTED', 'EXPIRED', 'UNRENDERABLE', 'WITHDRAWN')",
                "outbox_sent_has_date": "(state = 'SENT') = (sent_at IS NOT NULL)",
                "outbox_language_known": "language IN ('fr', 'en')",
                "outbox_lease_while_pending": "lease_owner IS NULL OR state = 'PENDING'",
                "outbox_attempts_positive": "attempts >= 0",
                "outbox_lease_whole": "(lease_owner IS NULL) = (lease_until IS NULL)",
            },
            options={"table": "outbox", "pk_attr": "id"},
        ),
        CreateTable(
            name="OneTimeToken",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True)),
                (
                    "account",
                    fields.ForeignKeyField(
                        "models.Account",
                        source_field="account_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("purpose", fields.CharEnumField(enum_type=Purpose, max_length=20)),
                ("token_hash", fields.CharField(max_length=64)),
                ("created_at", fields.DatetimeField()),
                ("expires_at", fields.DatetimeField()),
            ],
            checks={
                "one_time_token_purpose_known": "purpose IN ('ACTIVATION', 'PASSWORD_RESET', 'REACTIVATION', 'CONTACT_EMAIL')",
                "one_time_token_expires_later": "expires_at > created_at",
            },
            options={"table": "one_time_tokens", "pk_attr": "id"},
        ),
        CreateTable(
            name="Session",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True)),
                (
                    "account",
                    fields.ForeignKeyField(
                        "models.Account",
                        source_field="account_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("token_hash", fields.CharField(max_length=64)),
                ("created_at", fields.DatetimeField()),
                ("last_seen_at", fields.DatetimeField()),
                ("expires_at", fields.DatetimeField()),
                ("user_agent", fields.CharField(null=True, max_length=255)),
            ],
            checks={
                "session_expires_later": "expires_at > created_at",
            },
            options={"table": "sessions", "pk_attr": "id"},
        ),
        CreateTable(
            name="Structure",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True)),
                ("identifier_type", fields.CharEnumField(enum_type=IdentifierType, max_length=12)),
                ("identifier", fields.CharField(max_length=80)),
                ("name", fields.CharField(max_length=255)),
                ("folded_name", fields.CharField(max_length=512)),
                ("first_name", fields.CharField(null=True, max_length=80)),
                ("last_name", fields.CharField(null=True, max_length=80)),
                ("kind", fields.CharEnumField(enum_type=StructureKind, max_length=8)),
                (
                    "status",
                    fields.CharEnumField(default=StructureStatus.ACTIVE, enum_type=StructureStatus, max_length=8),
                ),
                ("managed", fields.BooleanField(default=False)),
                ("line1", fields.CharField(null=True, max_length=160)),
                ("line2", fields.CharField(null=True, max_length=160)),
                ("line3", fields.CharField(null=True, max_length=160)),
                ("postcode", fields.CharField(null=True, max_length=20)),
                ("city", fields.CharField(null=True, max_length=120)),
                ("folded_city", fields.CharField(null=True, max_length=240)),
                ("country", fields.CharField(null=True, max_length=2)),
                ("email", fields.CharField(null=True, max_length=254)),
                ("phone", fields.CharField(null=True, max_length=32)),
                ("service_code_required", fields.BooleanField(default=False)),
                ("engagement_number_required", fields.BooleanField(default=False)),
                ("created_at", fields.DatetimeField()),
            ],
            checks={
                "structure_identifier_type_known": "identifier_type IN ('SIRET', 'EU_VAT', 'NON_EU', 'RIDET', 'TAHITI', 'INDIVIDUAL', 'OTHER')",
                "structure_kind_known": "kind IN ('PUBLIC', 'PRIVATE')",
                "structure_status_known": "status IN ('ACTIVE', 'INACTIVE')",
            },
            options={"table": "structures", "pk_attr": "id"},
        ),
        CreateTable(
            name="Attachment",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True)),
                (
                    "user",
                    fields.ForeignKeyField(
                        "models.Account",
                        source_field="user_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="attachments",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "structure",
                    fields.ForeignKeyField(
                        "models.Structure",
                        source_field="structure_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="attachments",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "on_behalf_of",
                    fields.ForeignKeyField(
                        "models.Structure",
                        source_field="on_behalf_of_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="delegated_attachments",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("role", fields.CharEnumField(default=Role.SIMPLE_USER, enum_type=Role, max_length=20)),
                (
                    "status",
                    fields.CharEnumField(default=AttachmentStatus.PENDING, enum_type=AttachmentStatus, max_length=12),
                ),
                ("valid_from", fields.DateField()),
                ("valid_until", fields.DateField(null=True)),
                ("comment", fields.CharField(null=True, max_length=255)),
                ("refusal_reason", fields.CharField(null=True, max_length=255)),
                ("requested_at", fields.DatetimeField()),
                ("decided_at", fields.DatetimeField(null=True)),
                (
                    "decided_by",
                    fields.ForeignKeyField(
                        "models.Account",
                        source_field="decided_by_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="decided_attachments",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
            ],
            checks={
                "attachment_role_known": "role IN ('PRINCIPAL_MANAGER', 'SECONDARY_MANAGER', 'SIMPLE_USER')",
                "attachment_status_known": "status IN ('PENDING', 'VALIDATED', 'REFUSED', 'DEACTIVATED', 'REMOVED')",
                "attachment_dates_ordered": "valid_until IS NULL OR valid_until >= valid_from",
                "attachment_request_is_simple": "status NOT IN ('PENDING', 'REFUSED') OR role = 'SIMPLE_USER'",
                "attachment_refusal_has_reason": "(status = 'REFUSED') = (refusal_reason IS NOT NULL)",
                "attachment_decision_has_date": "status NOT IN ('VALIDATED', 'REFUSED', 'DEACTIVATED') OR decided_at IS NOT NULL",
                "attachment_principal_has_no_end": "role <> 'PRINCIPAL_MANAGER' OR status = 'REMOVED' OR (status = 'VALIDATED' AND valid_until IS NULL)",
            },
            options={"table": "attachments", "pk_attr": "id"},
        ),
        ops.CreateModel(
            name="Event",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True)),
                ("type", fields.CharField(max_length=60)),
                ("occurred_at", fields.DatetimeField()),
                (
                    "actor",
                    fields.ForeignKeyField(
                        "models.Account",
                        source_field="actor_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="events_as_actor",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "subject",
                    fields.ForeignKeyField(
                        "models.Account",
                        source_field="subject_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="events_as_subject",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "structure",
                    fields.ForeignKeyField(
                        "models.Structure",
                        source_field="structure_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="events",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "attachment",
                    fields.ForeignKeyField(
                        "models.Attachment",
                        source_field="attachment_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="events",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("before", fields.JSONField(encoder=JSON_DUMPS, decoder=loads)),
                ("after", fields.JSONField(encoder=JSON_DUMPS, decoder=loads)),
            ],
            options={"table": "events", "pk_attr": "id"},
        ),
        CreateTable(
            name="OpenSpace",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True)),
                (
                    "structure",
                    fields.ForeignKeyField(
                        "models.Structure",
                        source_field="structure_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("space", fields.CharEnumField(enum_type=SpaceCode, max_length=32)),
            ],
            checks={
                "open_space_known": "space IN ('HOME', 'MY_ACCOUNT', 'MANAGER_ACTIVITIES', 'INVOICES_ISSUED', 'INVOICES_RECEIVED', 'INVOICES_TO_VALIDATE', 'WORKS_INVOICES', 'LEGAL_FEES', 'FUEL_TAX_REFUNDS', 'REQUESTS_ISSUED', 'REQUESTS_RECEIVED', 'COMMITMENTS', 'CONNECTIONS')",
            },
            options={"table": "open_spaces", "pk_attr": "id"},
        ),
        CreateTable(
            name="Service",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True)),
                (
                    "structure",
                    fields.ForeignKeyField(
                        "models.Structure",
                        source_field="structure_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("code", fields.CharField(max_length=50)),
                ("name", fields.CharField(max_length=120)),
                ("active", fields.BooleanField(default=True)),
                ("valid_from", fields.DateField(null=True)),
                ("valid_until", fields.DateField(null=True)),
                ("engagement_number_required", fields.BooleanField(default=False)),
            ],
            checks={
                "service_dates_ordered": "valid_until IS NULL OR valid_from IS NULL OR valid_until >= valid_from",
            },
            options={"table": "services", "pk_attr": "id"},
        ),
        ops.CreateModel(
            name="AttachmentService",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True)),
                (
                    "attachment",
                    fields.ForeignKeyField(
                        "models.Attachment",
                        source_field="attachment_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "service",
                    fields.ForeignKeyField(
                        "models.Service",
                        source_field="service_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
            ],
            options={"table": "attachment_services", "pk_attr": "id"},
        ),
        CreateTable(
            name="SpaceSubscription",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True)),
                (
                    "user",
                    fields.ForeignKeyField(
                        "models.Account",
                        source_field="user_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "structure",
                    fields.ForeignKeyField(
                        "models.Structure",
                        source_field="structure_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("space", fields.CharEnumField(enum_type=SpaceCode, max_length=32)),
                (
                    "mode",
                    fields.CharEnumField(default=SubscriptionMode.WRITE, enum_type=SubscriptionMode, max_length=5),
                ),
                ("status", fields.CharEnumField(enum_type=SpaceSubscriptionStatus, max_length=10)),
                ("effective_from", fields.DateField()),
                ("requested_at", fields.DatetimeField()),
                ("ended_at", fields.DatetimeField(null=True)),
            ],
            checks={
                "space_subscription_space_known": "space IN ('HOME', 'MY_ACCOUNT', 'MANAGER_ACTIVITIES', 'INVOICES_ISSUED', 'INVOICES_RECEIVED', 'INVOICES_TO_VALIDATE', 'WORKS_INVOICES', 'LEGAL_FEES', 'FUEL_TAX_REFUNDS', 'REQUESTS_ISSUED', 'REQUESTS_RECEIVED', 'COMMITMENTS', 'CONNECTIONS')",
                "space_subscription_status_known": "status IN ('PENDING', 'VALIDATED', 'REFUSED', 'REMOVED')",
                "space_subscription_mode_known": "mode IN ('READ', 'WRITE')",
            },
            options={"table": "space_subscriptions", "pk_attr": "id"},
        ),
        ops.RunSQL(
            [
                # one per key
                "CREATE UNIQUE INDEX account_login ON accounts (login_key)",
                "CREATE UNIQUE INDEX session_token ON sessions (token_hash)",
                "CREATE UNIQUE INDEX one_time_token_hash ON one_time_tokens (token_hash)",
                "CREATE UNIQUE INDEX one_time_token_per_purpose ON one_time_tokens (account_id, purpose)",
                "CREATE UNIQUE INDEX structure_identifier ON structures (identifier_type, identifier)",
                "CREATE UNIQUE INDEX service_code_per_structure ON services (structure_id, code)",
                "CREATE UNIQUE INDEX open_space_per_structure ON open_spaces (structure_id, space)",
                "CREATE UNIQUE INDEX attachment_service_once ON attachment_services (attachment_id, service_id)",
                # the rules that hold at every instant
                "CREATE UNIQUE INDEX attachment_one_live ON attachments (user_id, structure_id)"
                " WHERE status IN ('PENDING', 'VALIDATED', 'DEACTIVATED')",
                "CREATE UNIQUE INDEX attachment_one_principal ON attachments (structure_id)"
                " WHERE role = 'PRINCIPAL_MANAGER' AND status = 'VALIDATED'",
                "CREATE UNIQUE INDEX space_subscription_one_live ON space_subscriptions (user_id, structure_id, space)"
                " WHERE status IN ('PENDING', 'VALIDATED')",
                # what lists and searches walk along
                "CREATE INDEX account_name ON accounts (folded_name)",
                "CREATE INDEX former_password_account ON former_passwords (account_id)",
                "CREATE INDEX session_account ON sessions (account_id)",
                "CREATE INDEX attachment_user ON attachments (user_id, id)",
                "CREATE INDEX attachment_structure ON attachments (structure_id, id)",
                "CREATE INDEX attachment_pending ON attachments (structure_id, id) WHERE status = 'PENDING'",
                "CREATE INDEX attachment_seat ON attachments (user_id) WHERE role = 'PRINCIPAL_MANAGER' AND status = 'VALIDATED'",
                "CREATE INDEX attachment_service_service ON attachment_services (service_id)",
                "CREATE INDEX space_subscription_structure ON space_subscriptions (structure_id)",
                "CREATE INDEX event_subject ON events (subject_id, id)",
                "CREATE INDEX event_actor ON events (actor_id, id)",
                "CREATE INDEX event_structure ON events (structure_id, id)",
                "CREATE INDEX event_attachment ON events (attachment_id)",
                "CREATE INDEX outbox_due ON outbox (due_at, id) WHERE state = 'PENDING'",
                "CREATE INDEX outbox_dead ON outbox (id) WHERE state NOT IN ('PENDING', 'SENT')",
                "CREATE INDEX outbox_account ON outbox (account_id) WHERE state = 'PENDING'",
                "CREATE INDEX structure_postcode ON structures (postcode)",
                "CREATE INDEX structure_city ON structures (folded_city)",
            ]
        ),
    ]
