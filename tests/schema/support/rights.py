"""The rows of the rights matrix: who gets what answer from every query, mutation, stream and field."""

from collections.abc import Callable

from models.attachments.attachments import Attachment
from models.documents.documents import Document
from models.subscriptions.subscriptions import SpaceSubscription
from schema.base import ids
from tests.schema.support.world import World

ADDRESS = '{line1: "1 rue des Essais", postcode: "75001", city: "Paris", country: "FR"}'
PASSWORD = 'password: "Nouveau-Depart-2027!", secretQuestion: "Why so?", secretAnswer: "because"'
Answers = tuple[str, str, str, str, str, str]  # one for each of VIEWERS
EVERYBODY: Answers = ("ok",) * 6
BAD_LINK: Answers = ("INVALID_TOKEN",) * 6
SIGNED_IN: Answers = ("UNAUTHENTICATED", "ok", "ok", "ok", "ok", "ok")
OWNER: Answers = ("UNAUTHENTICATED", "NOT_FOUND", "ok", "NOT_FOUND", "NOT_FOUND", "NOT_FOUND")  # the simple user
MANAGERS: Answers = ("UNAUTHENTICATED", "FORBIDDEN", "FORBIDDEN", "ok", "ok", "FORBIDDEN")
MANAGERS_OF_SEEN: Answers = ("UNAUTHENTICATED", "NOT_FOUND", "NOT_FOUND", "ok", "ok", "FORBIDDEN")
SUPPORT: Answers = ("UNAUTHENTICATED", "FORBIDDEN", "FORBIDDEN", "FORBIDDEN", "FORBIDDEN", "ok")
Row = tuple[Callable[[World], str], Answers]


def _principal(world: World) -> str:
    principal = world.viewers["principal"]
    assert principal is not None
    return world.id(principal)


def bulk(
    name: str, which: Callable[[World], Attachment | SpaceSubscription | Document], more: str = ""
) -> Callable[[World], str]:
    """A bulk mutation on one thing."""
    return lambda w: f'{name}(ids: ["{w.id(which(w))}"]{more}) {{ results {{ errors {{ code }} }} errors {{ code }} }}'


def act(text: str) -> Callable[[World], str]:
    """A mutation whose payload has errors of its own; `<name>` stands for the id of a thing of the world."""

    def fill(world: World) -> str:
        filled = text
        for name in (
            "structure",
            "vacant",
            "service",
            "tim",
            "dan",
            "rex",
            "pat",
            "sly",
            "fay",
            "old",
            "lost",
            "activity",
            "document",
        ):
            filled = filled.replace(f"<{name}>", world.id(getattr(world, name)))
        filled = filled.replace("<identifier>", world.structure.identifier)
        return filled.replace("<tim user>", ids.encode("User", world.tim.user_id)) + " { errors { code } }"

    return fill


MUTATIONS: dict[str, Row] = {
    "signUp": (
        act('signUp(input: {loginEmail: "new@people.example", firstName: "N", lastName: "W", acceptTerms: true})'),
        EVERYBODY,
    ),
    "resendActivation": (act('resendActivation(loginEmail: "new@people.example")'), EVERYBODY),
    "resendActivationFor": (
        act('resendActivationFor(userId: "<pat>")'),
        ("UNAUTHENTICATED", "NOT_FOUND", "FORBIDDEN", "ok", "ok", "ok"),
    ),
    "activateAccount": (act(f'activateAccount(input: {{token: "x", {PASSWORD}}})'), BAD_LINK),
    "signIn": (
        act('signIn(input: {loginEmail: "new@people.example", password: "x"})'),
        ("WRONG_CREDENTIALS",) * 6,
    ),
    "signOut": (act("signOut"), EVERYBODY),
    "endSessions": (act('endSessions(userId: "<fay>", reason: "lost device")'), SUPPORT),
    "revokeSessions": (act("revokeSessions"), SIGNED_IN),
    "requestPasswordReset": (act('requestPasswordReset(loginEmail: "fay@people.example")'), EVERYBODY),
    "resetPassword": (
        act('resetPassword(input: {token: "x", secretAnswer: "demo", password: "Nouveau-Depart-2027!"})'),
        BAD_LINK,
    ),
    "updateAccount": (act('updateAccount(input: {phone: "0123456789"})'), SIGNED_IN),
    "confirmContactEmail": (act('confirmContactEmail(token: "x")'), BAD_LINK),
    "unsubscribe": (act('unsubscribe(token: "x")'), BAD_LINK),
    "deactivateAccount": (
        act("deactivateAccount(input: {confirm: true})"),
        ("UNAUTHENTICATED", "ok", "ok", "ok", "SUCCESSOR_REQUIRED", "ok"),
    ),
    "requestReactivation": (act('requestReactivation(loginEmail: "fay@people.example")'), EVERYBODY),
    "reactivateAccount": (act(f'reactivateAccount(input: {{token: "x", {PASSWORD}}})'), BAD_LINK),
    "requestAttachments": (
        lambda w: (
            f'requestAttachments(input: {{requests: [{{structureId: "{w.id(w.vacant)}", validFrom: "2027-04-01"}}]}})'
            " { results { errors { code } } errors { code } }"
        ),
        SIGNED_IN,
    ),
    "validateAttachments": (
        lambda w: (
            f'validateAttachments(input: {{validations: [{{id: "{w.id(w.rex)}"}}]}})'
            " { results { errors { code } } errors { code } }"
        ),
        MANAGERS_OF_SEEN,
    ),
    "refuseAttachments": (bulk("refuseAttachments", lambda w: w.rex, ', reason: "unknown"'), MANAGERS_OF_SEEN),
    "withdrawAttachments": (
        bulk("withdrawAttachments", lambda w: w.rex),
        ("UNAUTHENTICATED", "NOT_FOUND", "NOT_FOUND", "FORBIDDEN", "FORBIDDEN", "FORBIDDEN"),
    ),
    "deactivateAttachments": (bulk("deactivateAttachments", lambda w: w.tim), MANAGERS_OF_SEEN),
    "reactivateAttachments": (bulk("reactivateAttachments", lambda w: w.dan), MANAGERS_OF_SEEN),
    "removeAttachments": (bulk("removeAttachments", lambda w: w.tim), MANAGERS_OF_SEEN),
    "attachUser": (
        act(
            'attachUser(input: {structureId: "<structure>", loginEmail: "fay@people.example", validFrom: "2027-04-01"})'
        ),
        MANAGERS,
    ),
    "updateAttachment": (act('updateAttachment(input: {id: "<tim>", validUntil: "2027-12-31"})'), MANAGERS_OF_SEEN),
    "changeAttachmentRole": (
        act('changeAttachmentRole(id: "<tim>", role: SECONDARY_MANAGER)'),
        ("UNAUTHENTICATED", "NOT_FOUND", "NOT_FOUND", "FORBIDDEN", "ok", "FORBIDDEN"),
    ),
    "transferPrincipalManager": (
        act('transferPrincipalManager(structureId: "<structure>", successorId: "<tim user>")'),
        ("UNAUTHENTICATED", "FORBIDDEN", "FORBIDDEN", "FORBIDDEN", "ok", "FORBIDDEN"),
    ),
    "escalateAttachment": (
        act('escalateAttachment(id: "<old>")'),
        ("UNAUTHENTICATED", "NOT_FOUND", "NOT_FOUND", "ok", "ok", "FORBIDDEN"),
    ),
    "claimPrincipalManager": (
        act('claimPrincipalManager(structureId: "<lost>")'),
        ("UNAUTHENTICATED", "FORBIDDEN", "FORBIDDEN", "ok", "FORBIDDEN", "FORBIDDEN"),
    ),
    "offerPrincipalManager": (
        act('offerPrincipalManager(structureId: "<structure>", successorId: "<tim user>")'),
        ("UNAUTHENTICATED", "FORBIDDEN", "FORBIDDEN", "FORBIDDEN", "ALREADY_EXISTS", "FORBIDDEN"),
    ),
    "acceptPrincipalManagerOffer": (
        lambda w: f'acceptPrincipalManagerOffer(id: "{w.offer_id}") {{ errors {{ code }} }}',
        ("UNAUTHENTICATED", "NOT_FOUND", "ok", "FORBIDDEN", "FORBIDDEN", "FORBIDDEN"),
    ),
    "declinePrincipalManagerOffer": (
        lambda w: f'declinePrincipalManagerOffer(id: "{w.offer_id}") {{ errors {{ code }} }}',
        ("UNAUTHENTICATED", "NOT_FOUND", "ok", "FORBIDDEN", "FORBIDDEN", "FORBIDDEN"),
    ),
    "withdrawPrincipalManagerOffer": (
        lambda w: f'withdrawPrincipalManagerOffer(id: "{w.offer_id}") {{ errors {{ code }} }}',
        ("UNAUTHENTICATED", "NOT_FOUND", "FORBIDDEN", "FORBIDDEN", "ok", "FORBIDDEN"),
    ),
    "refuseStructure": (act('refuseStructure(structureId: "<structure>")'), SIGNED_IN),
    "acceptStructure": (act('acceptStructure(structureId: "<structure>")'), SIGNED_IN),
    "createStructure": (
        act(
            f'createStructure(input: {{identifierType: OTHER, identifier: "N1", name: "N", postalAddress: {ADDRESS}}})'
        ),
        SIGNED_IN,
    ),
    "updateStructure": (act('updateStructure(input: {id: "<structure>", phone: "0123456789"})'), MANAGERS),
    "saveService": (act('saveService(input: {structureId: "<structure>", code: "S2", name: "Second"})'), MANAGERS),
    "requestSpaceSubscriptions": (
        lambda w: (
            f'requestSpaceSubscriptions(input: {{requests: [{{structureId: "{w.id(w.structure)}", space: WORKS_INVOICES,'
            ' effectiveFrom: "2027-04-01"}]}) { results { errors { code } } errors { code } }'
        ),
        ("UNAUTHENTICATED", "FORBIDDEN", "ok", "ok", "ok", "FORBIDDEN"),
    ),
    "grantSpaceSubscriptions": (
        lambda w: (
            f'grantSpaceSubscriptions(input: {{structureId: "{w.id(w.structure)}", space: WORKS_INVOICES, userIds:'
            f' ["{ids.encode("User", w.tim.user_id)}"], effectiveFrom: "2027-04-01"}})'
            " { results { errors { code } } errors { code } }"
        ),
        MANAGERS,
    ),
    "validateSpaceSubscriptions": (bulk("validateSpaceSubscriptions", lambda w: w.ask), MANAGERS_OF_SEEN),
    "refuseSpaceSubscriptions": (
        bulk("refuseSpaceSubscriptions", lambda w: w.ask, ', reason: "not needed"'),
        MANAGERS_OF_SEEN,
    ),
    "removeSpaceSubscriptions": (bulk("removeSpaceSubscriptions", lambda w: w.wes), MANAGERS_OF_SEEN),
    "openSpaces": (act('openSpaces(structureId: "<structure>", spaces: [COMMITMENTS])'), MANAGERS),
    "closeSpaces": (act('closeSpaces(structureId: "<structure>", spaces: [COMMITMENTS])'), MANAGERS),
    "addDocument": (act('addDocument(input: {file: $file, designation: "D", type: OTHER})'), SIGNED_IN),
    "updateDocument": (act('updateDocument(input: {id: "<document>", designation: "D"})'), OWNER),
    "removeDocuments": (bulk("removeDocuments", lambda w: w.document), OWNER),
    "recordActivities": (
        act(
            'recordActivities(input: [{key: "1", structureIdentifier: {type: OTHER, value: "<identifier>"},'
            ' kind: EVENT, title: "T", occurredAt: "2027-03-01T12:00:00Z"}])'
        ),
        ("UNAUTHENTICATED", "FORBIDDEN", "FORBIDDEN", "FORBIDDEN", "FORBIDDEN", "FORBIDDEN"),
    ),
    "acknowledgeActivities": (
        act('acknowledgeActivities(ids: ["<activity>"])'),
        ("UNAUTHENTICATED", "NOT_FOUND", "ok", "ok", "ok", "NOT_FOUND"),
    ),
    "reopenAccount": (act('reopenAccount(userId: "<sly>", reason: "by mistake")'), SUPPORT),
    "suspendAccount": (act('suspendAccount(userId: "<fay>", reason: "abuse")'), SUPPORT),
    "appointPrincipalManager": (
        act('appointPrincipalManager(structureId: "<vacant>", userId: "<fay>", reason: "none left")'),
        SUPPORT,
    ),
    "correctStructureKind": (
        act('correctStructureKind(structureId: "<structure>", kind: PUBLIC, reason: "a town")'),
        SUPPORT,
    ),
    "freeStructureIdentifier": (
        act('freeStructureIdentifier(structureId: "<structure>", reason: "another\'s")'),
        SUPPORT,
    ),
    "registerPublicStructure": (
        act(
            'registerPublicStructure(input: {identifierType: OTHER, identifier: "P1", name: "P",'
            f' postalAddress: {ADDRESS}, principalManagerId: "<fay>"}})'
        ),
        SUPPORT,
    ),
}
SEEN: Answers = ("UNAUTHENTICATED", "null", "null", "ok", "ok", "ok")
QUERIES: dict[str, Row] = {
    "me": (lambda w: "me { id }", ("null", "ok", "ok", "ok", "ok", "ok")),
    "node": (lambda w: f'node(id: "{w.id(w.tim)}") {{ id }}', SEEN),
    "nodes": (lambda w: f'nodes(ids: ["{w.id(w.tim)}"]) {{ id }}', SEEN),
    "vacancies": (lambda w: "vacancies { totalCount }", SUPPORT),
    "users": (lambda w: 'users(search: "person") { edges { node { id } } }', SUPPORT),
    "undecidedAttachments": (lambda w: "undecidedAttachments { edges { node { id } } }", SUPPORT),
    "structures": (lambda w: 'structures(search: {name: "structure"}) { edges { node { id } } }', SIGNED_IN),
    "structure": (
        lambda w: f'structure(identifier: {{type: OTHER, value: "{w.structure.identifier}"}}) {{ id }}',
        SIGNED_IN,
    ),
    "spaces": (lambda w: "spaces { code }", SIGNED_IN),
    "documentsArchiveUrl": (lambda w: f'documentsArchiveUrl(ids: ["{w.id(w.document)}"])', OWNER),
    "liveCursor": (lambda w: "liveCursor", SIGNED_IN),
}
# Who is delivered a change of somebody else's in the world's structure, which `happen` makes; the last row's is the principal manager's own.
OF_MANAGERS: Answers = ("UNAUTHENTICATED", "nothing", "nothing", "ok", "ok", "nothing")
ON_THE_STRUCTURE: Answers = ("UNAUTHENTICATED", "NOT_FOUND", "nothing", "ok", "ok", "ok")
STREAMS: dict[str, Row] = {
    "attachmentStatusChanged": (lambda w: "attachmentStatusChanged(after: <start>) { cursor }", OF_MANAGERS),
    "attachmentStatusChanged on a structure": (
        lambda w: f'attachmentStatusChanged(structureId: "{w.id(w.structure)}", after: <start>) {{ cursor }}',
        ON_THE_STRUCTURE,
    ),
    "spaceSubscriptionStatusChanged": (
        lambda w: "spaceSubscriptionStatusChanged(after: <start>) { cursor }",
        OF_MANAGERS,
    ),
    "spaceSubscriptionStatusChanged on a structure": (
        lambda w: f'spaceSubscriptionStatusChanged(structureId: "{w.id(w.structure)}", after: <start>) {{ cursor }}',
        ON_THE_STRUCTURE,
    ),
    "activityRecorded": (
        lambda w: "activityRecorded(after: <start>) { cursor }",
        ("UNAUTHENTICATED", "nothing", "ok", "ok", "ok", "nothing"),
    ),
    "accountStateChanged": (
        lambda w: "accountStateChanged(after: <start>) { cursor }",
        ("UNAUTHENTICATED", "nothing", "nothing", "nothing", "ok", "nothing"),
    ),
}

# Fields that some of those who reach the type don't see. Each is asked of the world's structure, or of a person there.
FIELDS: dict[str, Row] = {
    "Query.node of an Activity": (
        lambda w: f'node(id: "{w.id(w.activity)}") {{ id }}',
        ("UNAUTHENTICATED", "null", "ok", "ok", "ok", "null"),
    ),
    "Query.node of a Document": (
        lambda w: f'node(id: "{w.id(w.document)}") {{ id }}',
        ("UNAUTHENTICATED", "null", "ok", "null", "null", "null"),
    ),
    "Structure.attachments": (
        lambda w: f'node(id: "{w.id(w.structure)}") {{ ... on Structure {{ attachments {{ totalCount }} }} }}',
        SEEN,
    ),
    "Structure.history": (
        lambda w: f'node(id: "{w.id(w.structure)}") {{ ... on Structure {{ history {{ totalCount }} }} }}',
        SEEN,
    ),
    "Structure.usersExportUrl": (
        lambda w: f'node(id: "{w.id(w.structure)}") {{ ... on Structure {{ usersExportUrl }} }}',
        SEEN,
    ),
    "Structure.successorCandidates": (
        lambda w: f'node(id: "{w.id(w.structure)}") {{ ... on Structure {{ successorCandidates {{ totalCount }} }} }}',
        ("UNAUTHENTICATED", "null", "null", "null", "ok", "ok"),
    ),
    "Structure.vacancy": (
        lambda w: f'node(id: "{w.id(w.lost)}") {{ ... on Structure {{ vacancy {{ reason }} }} }}',
        ("UNAUTHENTICATED", "null", "null", "ok", "null", "ok"),
    ),
    "Structure.principalManagerOffer": (
        lambda w: f'node(id: "{w.id(w.structure)}") {{ ... on Structure {{ principalManagerOffer {{ id }} }} }}',
        SEEN,
    ),
    "User.contactEmail": (
        lambda w: f'node(id: "{_principal(w)}") {{ ... on User {{ contactEmail }} }}',
        ("UNAUTHENTICATED", "null", "ok", "ok", "ok", "ok"),
    ),
    "User.postalAddress": (
        lambda w: f'node(id: "{_principal(w)}") {{ ... on User {{ postalAddress {{ city }} }} }}',
        ("UNAUTHENTICATED", "null", "null", "ok", "ok", "ok"),
    ),
}
# Fields that everybody who reaches the type sees: what they tell isn't more than the row that leads to them.
SAME_FOR_ALL = {
    "Account": "id user loginEmail contactEmail contactEmailProblem pendingContactEmail firstName lastName phone postalAddress language timeZone"
    " receiveActivityNotifications secretQuestion state reactivableUntil attachments attachmentsToReview history sessions"
    " deactivationPreview spaceSubscriptions spaceSubscriptionsToReview access activities principalManagerOffers documents refusedStructures",
    "User": "id firstName lastName displayName state",
    "Structure": "id identifierType identifier name kind status postalAddress email phone serviceCodeRequired"
    " engagementNumberRequired principalManager services openSpaces viewerAttachment",
    "Attachment": "id user structure onBehalfOf role status inEffect validFrom validUntil services comment refusalReason"
    " requestedAt decidedAt decidedBy deciders viewerActs",
    "SpaceSubscription": "id user structure space services mode status inEffect effectiveFrom comment refusalReason"
    " requestedAt decidedAt decidedBy deciders viewerActs",
    "Access": "allowed reason explanation changesOn",
    "Deciders": "roles count escalableOn escalatedAt",
    "Vacancy": "structure reason since claimableFrom claimant viewerMayClaim",
    "PrincipalManagerOffer": "id structure holder successor status offeredAt expiresAt endedAt",
    "Event": "id type occurredAt actor subject structure summary",
    "Document": "id designation type filename mimeType size sha256 state createdAt downloadUrl",
    "Activity": "id kind structure service space title url occurredAt requiresAcknowledgement acknowledgedAt",
    "Service": "id code name active validFrom validUntil engagementNumberRequired",
    "Session": "id current createdAt lastSeenAt userAgent source device",
    "Space": "code label description",
    "PostalAddress": "line1 line2 line3 postcode city country",
    "DeactivationPreview": "canDeactivate successionsNeeded pendingRequestsLost reactivationDays",
    "SuccessionNeeded": "structure candidates",
    "PageInfo": "hasNextPage hasPreviousPage startCursor endCursor",
    "UserError": "code message path",
    "AttachmentStatusChanged": "cursor occurredAt attachment previousStatus status role actor",
    "SpaceSubscriptionStatusChanged": "cursor occurredAt spaceSubscription previousStatus status actor",
    "AccountStateChanged": "cursor occurredAt account previousState state",
    "ActivityRecorded": "cursor occurredAt activity",
}
