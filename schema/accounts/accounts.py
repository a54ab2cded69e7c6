"""The person's own account: its type, and the acts on it."""

from datetime import date, datetime
from typing import Annotated, Any

import strawberry

from models.accounts.accounts import ACCOUNTS, REACTIVATION_WINDOW, AccountState, Language
from models.subscriptions.spaces import SpaceCode
from resolvers import history as events
from resolvers.accounts import accounts, digests, profiles, sessions, users
from resolvers.activities import activities
from resolvers.attachments import attachment_lists, offers
from resolvers.attachments import refused_structures as refusals
from resolvers.documents import documents
from resolvers.subscriptions import access, subscription_lists
from schema.accounts.deactivation import DeactivationPreview, previewed
from schema.accounts.sessions import Session
from schema.accounts.users import ADDRESS_COLUMNS, PostalAddress, User, address_of
from schema.activities import Activity, UnacknowledgedOnly
from schema.attachments.attachments import Attachment, AttachmentFilter, filter_of
from schema.attachments.offers import PrincipalManagerOffer
from schema.base import ids
from schema.base.connections import After, Before, Connection, First, Last, connection_of, page_of
from schema.base.context import Info
from schema.base.fields import column, made_from, rows_of
from schema.base.inputs import PostalAddressInput, given
from schema.base.nodes import Node
from schema.base.payloads import AcknowledgedPayload
from schema.base.roots import anybody, query
from schema.base.selections import selection_of
from schema.base.user_errors import ERRORS, UserError, mutation
from schema.documents.documents import Document, DocumentFilter
from schema.documents.documents import filter_of as documents_by
from schema.events import Event
from schema.structures.structures import Structure
from schema.subscriptions import subscriptions
from schema.subscriptions.access import Access
from schema.subscriptions.subscriptions import SpaceSubscription, SpaceSubscriptionFilter
from schema.words import wording


@rows_of(ACCOUNTS)
@strawberry.type(description="The signed-in person's own account: what only they may see.")
class Account(Node):
    @made_from("id", description="The person as others see them.")
    async def user(self: Any, info: Info) -> User:
        return await info.context.load(users.by_ids, self.id, selection_of(info))

    login_email: str = column("The login e-mail; never changes, receives security mail.")
    contact_email: str = column("The contact e-mail; receives notifications.")

    @made_from(
        "contact_email_refusal",
        "contact_email_refused_at",
        description="Why mails don't reach the contact e-mail: its server refused one for good, on that day, with these"
        " words; null once a mail goes through, or another address is confirmed.",
    )
    def contact_email_problem(self: Any, info: Info) -> str | None:
        if self.contact_email_refusal is None:
            return None
        return wording.refused_address(self.contact_email_refusal, self.contact_email_refused_at, info.context.language)

    pending_contact_email: str | None = column(
        "A new contact e-mail that waits for its owner to follow the mailed link."
    )
    first_name: str = column("First name.")
    last_name: str = column("Last name.")
    phone: str | None = column("Telephone number.")

    @made_from(*ADDRESS_COLUMNS, description="Postal address.")
    def postal_address(self: Any) -> PostalAddress | None:
        return address_of(self)

    language: Language = column("The language of mails and messages.")
    time_zone: str = column("The time zone of mails, an IANA name.")
    receive_activity_notifications: bool = column(
        "Whether periodic notifications of activity are wanted; off at first."
    )
    secret_question: str | None = column("The secret question; its answer is never told.")
    state: AccountState = column("Where the account stands.")

    @made_from("deactivated_at", description="Until when a deactivated account can come back; null otherwise.")
    def reactivable_until(self: Any) -> datetime | None:
        return self.deactivated_at + REACTIVATION_WINDOW if self.deactivated_at else None

    @made_from("id", description="The person's attachments, newest first.")
    async def attachments(
        self: Any,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        filter: AttachmentFilter | None = None,
    ) -> Connection[Attachment]:
        page = page_of(first, after, last, before)
        return connection_of(
            await info.context.load(attachment_lists.of_users, self.id, page, filter_of(filter), selection_of(info))
        )

    @made_from("id", description="The documents that the person keeps, newest first.")
    async def documents(
        self: Any,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        filter: DocumentFilter | None = None,
    ) -> Connection[Document]:
        page, narrowed = page_of(first, after, last, before), documents_by(filter)
        return connection_of(
            await info.context.load(documents.of_accounts, self.id, page, narrowed, selection_of(info))
        )

    @made_from("id", description="Requests that the person may decide now, oldest first.")
    async def attachments_to_review(
        self: Any, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[Attachment]:
        page = page_of(first, after, last, before)
        return connection_of(await info.context.load(attachment_lists.to_review, self.id, page, selection_of(info)))

    @made_from("id", description="The person's space subscriptions, newest first.")
    async def space_subscriptions(
        self: Any,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        filter: SpaceSubscriptionFilter | None = None,
    ) -> Connection[SpaceSubscription]:
        page, narrowed = page_of(first, after, last, before), subscriptions.filter_of(filter)
        return connection_of(
            await info.context.load(subscription_lists.of_users, self.id, page, narrowed, selection_of(info))
        )

    @made_from("id", description="Requests for spaces that the person may decide now, oldest first.")
    async def space_subscriptions_to_review(
        self: Any, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[SpaceSubscription]:
        page = page_of(first, after, last, before)
        return connection_of(await info.context.load(subscription_lists.to_review, self.id, page, selection_of(info)))

    @made_from("id", description="May the person use this space of this structure, on this day or today?")
    async def access(
        self: Any,
        info: Info,
        space: SpaceCode,
        structure_id: strawberry.ID,
        at: Annotated[date | None, strawberry.argument(description="Another day than today.")] = None,
    ) -> Access:
        structure = ids.decode(structure_id, "Structure", "structure_id")
        return await info.context.load(access.answers, structure, space, at)

    @made_from("id", description="Activities that concern the person today, the last recorded first.")
    async def activities(
        self: Any,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        unacknowledged_only: UnacknowledgedOnly = False,
    ) -> Connection[Activity]:
        page = page_of(first, after, last, before)
        return connection_of(
            await info.context.load(
                activities.of_accounts, self.id, page, bool(unacknowledged_only), selection_of(info)
            )
        )

    @made_from("id", description="Open offers of the principal management made to the person, the oldest first.")
    async def principal_manager_offers(self: Any, info: Info) -> list[PrincipalManagerOffer]:
        return await info.context.load(offers.of_successors, self.id, selection_of(info))

    @made_from("id", description="Structures whose managers can't attach the person any more, by name.")
    async def refused_structures(self: Any, info: Info) -> list[Structure]:
        return await info.context.load(refusals.of_accounts, self.id, selection_of(info))

    @made_from("id", description="What happened to the account and by it, newest first.")
    async def history(
        self: Any, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[Event]:
        page = page_of(first, after, last, before)
        return connection_of(await info.context.load(events.of_accounts, self.id, page, selection_of(info)))

    @made_from("id", description="The open sessions, newest first.")
    async def sessions(self: Any, info: Info) -> list[Session]:
        return await info.context.load(sessions.of_accounts, self.id, selection_of(info))

    @made_from("id", description="What deactivating the account would ask for and take along.")
    async def deactivation_preview(self: Any, info: Info) -> DeactivationPreview:
        return await previewed(info)


@strawberry.type
class AccountQuery:
    @query("The signed-in person's account; null when nobody is signed in.", admits=anybody)
    async def me(self, info: Info) -> Account | None:
        actor = info.context.scope.actor
        return await info.context.load(accounts.by_ids, actor.account_id, selection_of(info)) if actor else None

    @query("People by name or e-mail, for support only.")
    async def users(
        self,
        info: Info,
        search: str,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[User]:
        page = page_of(first, after, last, before)
        return connection_of(await users.search(info.context.scope, search, page, selection_of(info)))


# ------------------------------------------------------------------ inputs and payloads
@strawberry.input(description="What signing up asks.")
class SignUpInput:
    login_email: str = strawberry.field(description="The e-mail that will identify the account; it never changes.")
    first_name: str = strawberry.field(description="First name.")
    last_name: str = strawberry.field(description="Last name.")
    language: Language | None = strawberry.field(default=Language.FR, description="The language of mails and messages.")
    accept_terms: bool = strawberry.field(description="Must be true.")


@strawberry.input(description="A change of password.")
class ChangePasswordInput:
    current: str = strawberry.field(description="The current password.")
    new: str = strawberry.field(description="The new one.")


@strawberry.input(description="A change of secret question and answer.")
class ChangeSecretQuestionInput:
    current_password: str = strawberry.field(description="The current password.")
    question: str = strawberry.field(description="The new question.")
    answer: str = strawberry.field(description="The new answer.")


@strawberry.input(description="Changes to the account: what is absent stays, and all or nothing is saved.")
class UpdateAccountInput:
    first_name: str | None = strawberry.field(default=strawberry.UNSET, description="First name; mandatory.")
    last_name: str | None = strawberry.field(default=strawberry.UNSET, description="Last name; mandatory.")
    contact_email: str | None = strawberry.field(
        default=strawberry.UNSET, description="Contact e-mail; takes effect once its owner follows the mailed link."
    )
    phone: str | None = strawberry.field(default=strawberry.UNSET, description="Telephone number; null empties it.")
    postal_address: PostalAddressInput | None = strawberry.field(
        default=strawberry.UNSET, description="Postal address, whole; null empties it."
    )
    language: Language | None = strawberry.field(
        default=strawberry.UNSET, description="The language of mails and messages."
    )
    time_zone: str | None = strawberry.field(
        default=strawberry.UNSET, description="The time zone of mails, an IANA name."
    )
    receive_activity_notifications: bool | None = strawberry.field(
        default=strawberry.UNSET, description="Whether periodic notifications of activity are wanted."
    )
    password: ChangePasswordInput | None = strawberry.field(default=strawberry.UNSET, description="A new password.")
    secret_question: ChangeSecretQuestionInput | None = strawberry.field(
        default=strawberry.UNSET, description="A new secret question and answer."
    )


@strawberry.type(description="The answer to a sign-up, the same whether the address is known or not.")
class SignUpPayload:
    acknowledged: bool = strawberry.field(default=False, description="The request was taken; the rest goes by mail.")
    errors: list[UserError] = strawberry.field(default_factory=list, description=ERRORS)


@strawberry.type(description="The account after the act.")
class AccountPayload:
    account_id: strawberry.Private[int | None] = None
    errors: list[UserError] = strawberry.field(default_factory=list, description=ERRORS)

    @strawberry.field(description="The account; null when the act was refused.")
    async def account(self, info: Info) -> Account | None:
        return (
            await info.context.load(accounts.by_ids, self.account_id, selection_of(info)) if self.account_id else None
        )


@strawberry.type(description="A person after support's act.")
class UserPayload:
    user_id: strawberry.Private[int | None] = None
    errors: list[UserError] = strawberry.field(default_factory=list, description=ERRORS)

    @strawberry.field(description="The person; null when the act was refused.")
    async def user(self, info: Info) -> User | None:
        return await info.context.load(users.by_ids, self.user_id, selection_of(info)) if self.user_id else None


# ------------------------------------------------------------------ acts
@strawberry.type
class AccountMutation:
    @mutation("Sign up: an account that waits for its mailed activation link.", admits=anybody)
    async def sign_up(self, info: Info, input: SignUpInput) -> SignUpPayload:
        await info.context.admit("signUp")
        await accounts.sign_up(info.context.scope, **given(input) | {"language": input.language or Language.FR})
        return SignUpPayload(acknowledged=True)

    @mutation("Ask for the activation link again; the older ones die.", admits=anybody)
    async def resend_activation(self, info: Info, login_email: str) -> AcknowledgedPayload:
        await info.context.admit("resendActivation")
        await accounts.resend_activation(info.context.scope, login_email)
        return AcknowledgedPayload(acknowledged=True)

    @mutation("Send the activation link again to someone attached to a structure that the person manages.")
    async def resend_activation_for(self, info: Info, user_id: strawberry.ID) -> AcknowledgedPayload:
        await accounts.resend_activation_for(info.context.scope, ids.decode(user_id, "User", "user_id"))
        return AcknowledgedPayload(acknowledged=True)

    @mutation("Save the profile: everything sent, or nothing.")
    async def update_account(self, info: Info, input: UpdateAccountInput) -> AccountPayload:
        await profiles.update(info.context.scope, given(input))
        return AccountPayload(account_id=info.context.scope.signed_in().account_id)

    @mutation("Confirm the new contact e-mail by the token of the link mailed to it.", admits=anybody)
    async def confirm_contact_email(self, info: Info, token: str) -> AcknowledgedPayload:
        await info.context.admit("confirmContactEmail")
        await profiles.confirm_contact_email(info.context.scope, token)
        return AcknowledgedPayload(acknowledged=True)

    @mutation(
        "Stop periodical notifications by the token of the link in one of their mails; no sign-in is needed.",
        admits=anybody,
    )
    async def unsubscribe(self, info: Info, token: str) -> AcknowledgedPayload:
        await info.context.admit("unsubscribe")
        await digests.unsubscribe(info.context.scope, token)
        return AcknowledgedPayload(acknowledged=True)

    @mutation("Support: reopen a closed or suspended account.")
    async def reopen_account(self, info: Info, user_id: strawberry.ID, reason: str) -> UserPayload:
        id = ids.decode(user_id, "User", "user_id")
        await accounts.reopen(info.context.scope, id, reason)
        return UserPayload(user_id=id)

    @mutation("Support: suspend an account; its sessions end at once.")
    async def suspend_account(self, info: Info, user_id: strawberry.ID, reason: str) -> UserPayload:
        id = ids.decode(user_id, "User", "user_id")
        await accounts.suspend(info.context.scope, id, reason)
        return UserPayload(user_id=id)
