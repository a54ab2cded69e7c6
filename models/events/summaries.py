"""One sentence for every kind of event, in French and English."""

from collections.abc import Mapping

from models.accounts.accounts import Language
from models.subscriptions.spaces import WORDING, SpaceCode

SENTENCES: Mapping[str, tuple[str, str]] = {
    "AccountSignedUp": ("Compte créé, en attente d'activation.", "Account created, waiting for activation."),
    "ActivationResent": ("Lien d'activation renvoyé.", "Activation link sent again."),
    "AccountActivated": ("Compte activé.", "Account activated."),
    "SignedIn": ("Connexion.", "Signed in."),
    "SignInsFailed": (
        "Tentatives de connexion échouées depuis la dernière connexion : {count}.",
        "Failed sign-ins since the last one: {count}.",
    ),
    "OldestSessionEnded": (
        "Session la plus ancienne fermée : un compte en a 20 au plus.",
        "Oldest session ended: an account has at most 20.",
    ),
    "SessionsEnded": ("Sessions fermées par l'assistance.", "Sessions ended by support."),
    "SignedOut": ("Déconnexion.", "Signed out."),
    "SessionsRevoked": ("Sessions fermées.", "Sessions ended."),
    "PasswordResetRequested": ("Lien de nouveau mot de passe demandé.", "Password reset link asked for."),
    "PasswordReset": ("Nouveau mot de passe choisi par un lien.", "New password chosen by a link."),
    "PasswordChanged": ("Mot de passe changé.", "Password changed."),
    "SecretQuestionChanged": ("Question secrète changée.", "Secret question changed."),
    "ProfileUpdated": ("Profil modifié.", "Profile changed."),
    "ActivityNotificationsStopped": (
        "Notifications d'activité arrêtées depuis un message.",
        "Activity notifications stopped from a message.",
    ),
    "ContactEmailRefused": (
        "Adresse de contact refusée par son serveur de messagerie.",
        "Contact address refused by its mail server.",
    ),
    "ContactEmailReached": ("Adresse de contact de nouveau joignable.", "Contact address reached again."),
    "ContactEmailChangeRequested": ("Changement d'adresse de contact demandé.", "Change of contact address asked for."),
    "ContactEmailConfirmed": ("Nouvelle adresse de contact confirmée.", "New contact address confirmed."),
    "StructureRefused": (
        "Rattachements par une structure refusés désormais.",
        "Attachments by a structure refused from now on.",
    ),
    "StructureAccepted": (
        "Rattachements par une structure de nouveau possibles.",
        "Attachments by a structure possible again.",
    ),
    "AccountDeactivated": ("Compte désactivé.", "Account deactivated."),
    "ReactivationRequested": ("Lien de réactivation demandé.", "Reactivation link asked for."),
    "AccountReactivated": ("Compte réactivé.", "Account reactivated."),
    "AccountReopened": ("Compte rouvert par l'assistance.", "Account reopened by support."),
    "AccountSuspended": ("Compte suspendu par l'assistance.", "Account suspended by support."),
    "PlatformRoleGiven": ("Rôle sur la plateforme donné.", "Platform role given."),
    "StructureCreated": ("Structure créée.", "Structure created."),
    "StructureAdopted": ("Structure de l'annuaire prise en charge.", "Structure of the directory taken in charge."),
    "PublicStructureRegistered": (
        "Structure publique enregistrée par l'assistance.",
        "Public structure registered by support.",
    ),
    "StructureUpdated": ("Fiche de la structure modifiée.", "Particulars of the structure changed."),
    "StructureKindCorrected": (
        "Nature de la structure corrigée par l'assistance.",
        "Kind of the structure corrected by support.",
    ),
    "StructureIdentifierFreed": (
        "Identifiant de la structure libéré par l'assistance.",
        "Identifier of the structure freed by support.",
    ),
    "StructureEnded": ("Structure rendue inactive.", "Structure made inactive."),
    "StructureRevived": ("Structure de nouveau active.", "Structure active again."),
    "ServiceSaved": ("Service enregistré.", "Service saved."),
    "SpacesOpened": ("Espaces ouverts.", "Spaces opened."),
    "SpacesClosed": ("Espaces fermés.", "Spaces closed."),
    "AttachmentRequested": ("Rattachement demandé.", "Attachment asked for."),
    "AttachmentGiven": ("Rattachement donné par un gestionnaire.", "Attachment given by a manager."),
    "AttachmentCreated": ("Rattachement créé avec le rôle {role}.", "Attachment created with the role {role}."),
    "AttachmentValidated": ("Demande de rattachement validée.", "Request for attachment validated."),
    "AttachmentRefused": ("Demande de rattachement refusée.", "Request for attachment refused."),
    "AttachmentWithdrawn": ("Demande de rattachement retirée.", "Request for attachment withdrawn."),
    "AttachmentEscalated": (
        "Demande de rattachement portée devant l'assistance.",
        "Request for attachment brought before support.",
    ),
    "AttachmentReplaced": (
        "Rattachement échu remplacé par une nouvelle demande.",
        "Ended attachment replaced by a new request.",
    ),
    "AttachmentDeactivated": ("Rattachement désactivé.", "Attachment deactivated."),
    "AttachmentReactivated": ("Rattachement réactivé.", "Attachment reactivated."),
    "AttachmentRemoved": ("Rattachement supprimé.", "Attachment removed."),
    "AttachmentUpdated": (
        "Dates ou services du rattachement modifiés.",
        "Dates or services of the attachment changed.",
    ),
    "SeatVacated": (
        "Gestionnaire principal suspendu : sa place peut être reprise.",
        "Principal manager suspended: the principal management may be claimed.",
    ),
    "HolderFoundAbsent": ("Absence du gestionnaire principal constatée.", "Principal manager found absent."),
    "PrincipalManagerClaimed": ("Gestion principale reprise.", "Principal management claimed."),
    "SeatOffered": ("Gestion principale proposée.", "Principal management offered."),
    "SeatOfferAccepted": ("Proposition de gestion principale acceptée.", "Offer of the principal management accepted."),
    "SeatOfferDeclined": ("Proposition de gestion principale déclinée.", "Offer of the principal management declined."),
    "SeatOfferWithdrawn": (
        "Proposition de gestion principale retirée.",
        "Offer of the principal management withdrawn.",
    ),
    "SeatOfferExpired": ("Proposition de gestion principale échue.", "Offer of the principal management expired."),
    "SpaceSubscriptionRequested": ("Abonnement demandé : {space}.", "Space asked for: {space}."),
    "SpaceSubscriptionGiven": ("Abonnement donné : {space}.", "Space given: {space}."),
    "SpaceSubscriptionValidated": ("Abonnement validé : {space}.", "Space validated: {space}."),
    "SpaceSubscriptionRefused": ("Abonnement refusé : {space}.", "Space refused: {space}."),
    "SpaceSubscriptionRemoved": ("Abonnement supprimé : {space}.", "Space removed: {space}."),
    "SpaceSubscriptionEnded": (
        "Abonnement terminé avec le rattachement : {space}.",
        "Space ended with the attachment: {space}.",
    ),
    "RoleChanged": ("Nouveau rôle : {role}.", "New role: {role}."),
    "PrincipalManagerTransferred": (
        "Gestion principale transmise.",
        "Principal management handed over.",
    ),
    "PrincipalManagerAppointed": (
        "Gestionnaire principal désigné par l'assistance.",
        "Principal manager appointed by support.",
    ),
    "ActivityRecorded": ("Activité enregistrée par une intégration.", "Activity recorded by an integration."),
    "ActivityAcknowledged": ("Lecture d'une activité confirmée.", "Activity acknowledged as read."),
    "DocumentAdded": ("Pièce jointe ajoutée.", "Document added."),
    "DocumentUpdated": ("Pièce jointe modifiée.", "Document changed."),
    "DocumentRemoved": ("Pièce jointe supprimée.", "Document removed."),
    "DocumentCleared": ("Pièce jointe déclarée saine par l'antivirus.", "Document found clean by the virus scanner."),
    "DocumentRefused": ("Pièce jointe refusée par l'antivirus.", "Document refused by the virus scanner."),
    "ApiKeyCreated": ("Clé d'API créée.", "API key created."),
    "ApiKeyRevoked": ("Clé d'API révoquée.", "API key revoked."),
}

ROLES: Mapping[str, tuple[str, str]] = {
    "PRINCIPAL_MANAGER": ("gestionnaire principal", "principal manager"),
    "SECONDARY_MANAGER": ("gestionnaire secondaire", "secondary manager"),
    "SIMPLE_USER": ("utilisateur simple", "simple user"),
}


def of(type: str, after: Mapping[str, object], language: Language) -> str:
    """The sentence of an event, from its type and what it left."""
    place = language is Language.EN
    role = ROLES.get(str(after.get("role")), ("", ""))[place]
    space = _labels(str(after.get("space")))[place]
    return SENTENCES[type][place].format(role=role, space=space, count=after.get("count"))


def _labels(code: str) -> tuple[str, str]:
    words = WORDING.get(SpaceCode(code)) if code in SpaceCode.__members__ else None
    return (words.fr, words.en) if words else ("", "")
