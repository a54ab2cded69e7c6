"""The words of every refusal, in French and English: keyed by the error's class, or by the finer rule it carries."""

from collections.abc import Mapping

Words = Mapping[str, tuple[str, str]]  # (French, English)

WORDS: Words = {
    "Missing": ("Ce champ est obligatoire.", "This field is mandatory."),
    "Invalid": ("Cette valeur n'est pas valable.", "This value is not valid."),
    "TooLong": ("Ce texte dépasse {most} caractères.", "This text is longer than {most} characters."),
    "TooShort": ("Ce texte compte moins de {least} caractères.", "This text is shorter than {least} characters."),
    "InvalidIdentifier": ("Cet identifiant n'est pas valable.", "This identifier is not valid."),
    "NotFound": ("Cet élément n'existe pas.", "There is no such thing."),
    "Forbidden": ("Vous n'avez pas le droit de faire cela.", "You may not do this."),
    "Conflict": (
        "La situation a changé entre-temps : rechargez la page puis recommencez.",
        "Things changed meanwhile: reload and try again.",
    ),
    "PersonUnavailable": (
        "Le compte de cette personne n'est pas actif : rien ne peut lui être donné pour l'instant.",
        "This person's account isn't active: nothing can be given to them for now.",
    ),
    "AlreadyPrincipalManager": (
        "Cette personne est déjà gestionnaire principal de la structure.",
        "This person is the structure's principal manager already.",
    ),
    "StructureAlreadyManaged": (
        "Cette structure existe déjà et a un gestionnaire : demandez à y être rattaché.",
        "This structure exists already and has a manager: ask to be attached to it.",
    ),
    "PublicBodyIdentifier": (
        "Ce SIRET est celui d'un organisme public : l'assistance l'enregistre, nul ne le prend comme privé.",
        "This SIRET is a public body's: support registers it, and it can't be a private structure.",
    ),
    "StructureIdentifierTaken": (
        "Une autre structure porte déjà cet identifiant.",
        "Another structure has this identifier already.",
    ),
    "StructureIdentifierFreed": (
        "L'assistance a libéré l'identifiant de cette structure : elle ne redevient active que sous un autre,"
        " que l'assistance lui donne.",
        "Support freed this structure's identifier: it can be active again only under another one, given by support.",
    ),
    "ServiceCodeTaken": (
        "Un autre service de la structure porte déjà ce code.",
        "Another service of the structure has this code already.",
    ),
    "AlreadyAttached": (
        "Cette personne est déjà rattachée à la structure, ou attend de l'être.",
        "This person is already attached to the structure, or waiting to be.",
    ),
    "AlreadySubscribed": (
        "Cette personne est déjà abonnée à cet espace, ou attend de l'être.",
        "This person is already subscribed to this space, or waiting to be.",
    ),
    "AttachmentNeeded": (
        "Il faut d'abord un rattachement validé à cette structure.",
        "A validated attachment to this structure is needed first.",
    ),
    "ActivityKeyTaken": (
        "Une autre activité a déjà été enregistrée sous cette clé.",
        "Another activity has been recorded under this key already.",
    ),
    "ApiKeyNameTaken": (
        "Une clé en service porte déjà ce nom : révoquez-la, ou choisissez un autre nom.",
        "A key in use has this name already: revoke it, or choose another name.",
    ),
    "FileTooLarge": ("Ce fichier dépasse {most} Mio.", "This file is larger than {most} MiB."),
    "FileEmpty": ("Ce fichier est vide.", "This file is empty."),
    "FileTypeNotAllowed": (
        "Ce type de fichier n'est pas accepté : voyez la liste des extensions.",
        "This type of file isn't accepted: see the list of extensions.",
    ),
    "FileContentMismatch": (
        "Le contenu de ce fichier n'est pas celui d'un fichier {extension}.",
        "The content of this file isn't that of a {extension} file.",
    ),
    "QuotaExceeded": (
        "Il n'y a plus de place pour ce fichier : un compte garde {files} fichiers et {mebibytes} Mio au plus.",
        "There is no room left for this file: an account keeps at most {files} files and {mebibytes} MiB.",
    ),
    "DocumentBeingChecked": (
        "L'antivirus n'a pas encore examiné cette pièce jointe : réessayez dans un instant.",
        "The virus scanner hasn't looked at this document yet: try again in a moment.",
    ),
    "DocumentRefused": (
        "L'antivirus a refusé cette pièce jointe : son contenu a été supprimé.",
        "The virus scanner refused this document: its content was deleted.",
    ),
    "StorageAway": (
        "Les pièces jointes sont indisponibles : réessayez bientôt.",
        "Documents are away: try again soon.",
    ),
    "StructureInactive": (
        "Cette structure n'est plus active : on ne peut plus y être rattaché.",
        "This structure has ended: nobody can be attached to it any more.",
    ),
    "ConfirmationRequired": ("Cette action doit être confirmée.", "This act must be confirmed."),
    "ServiceNotEntitled": (
        "Ce service n'est pas un service actif de la structure auquel cette personne puisse prétendre.",
        "This service is not an active one of the structure that this person may have.",
    ),
    "SpaceNotOpen": ("Cet espace n'est pas ouvert sur la structure.", "This space is not open on the structure."),
    "SpaceGivenByDefault": (
        "Cet espace est donné par défaut : il ne se demande pas, ne se retire pas et ne se ferme pas.",
        "This space is given by default: it can be neither asked for, removed nor closed.",
    ),
    "SpaceForPublicOnly": (
        "Cet espace n'existe que sur les structures publiques.",
        "This space exists on public structures only.",
    ),
    "TooMany": ("Le nombre permis est de {most}.", "No more than {most} are allowed."),
    "TooManyMails": (
        "Cela enverrait trop de messages, {most} au plus en une heure : réessayez plus tard.",
        "This would send too many mails, at most {most} in an hour: try again later.",
    ),
    "WrongCredentials": (
        "L'adresse ou le mot de passe est incorrect.",
        "The address or the password is wrong.",
    ),
    "AccountDeactivated": (
        "Ce compte est désactivé : vous pouvez demander sa réactivation.",
        "This account is deactivated: you can ask for its reactivation.",
    ),
    "AccountUnavailable": (
        "Ce compte n'est pas disponible : adressez-vous à l'assistance.",
        "This account is not available: please ask support.",
    ),
    "WrongPassword": ("Le mot de passe actuel est incorrect.", "The current password is wrong."),
    "WeakPassword": ("Ce mot de passe est trop facile à deviner.", "This password is too easy to guess."),
    "ReusedPassword": (
        "Choisissez un mot de passe différent des cinq derniers.",
        "Choose a password other than the last five.",
    ),
    "WrongSecretAnswer": (
        "La réponse à la question secrète est incorrecte.",
        "The answer to the secret question is wrong.",
    ),
    "InvalidToken": (
        "Ce lien n'est pas valable : il a déjà servi, ou un lien plus récent l'a remplacé.",
        "This link is not valid: it has been used, or a newer one has replaced it.",
    ),
    "ExpiredToken": ("Ce lien a expiré : demandez-en un autre.", "This link has expired: ask for another one."),
    "ReactivationExpired": (
        "Le délai de 60 jours pour réactiver ce compte est passé : adressez-vous à l'assistance.",
        "The 60 days in which this account could be reactivated have passed: please ask support.",
    ),
    "RequestAlreadyDecided": (
        "Cette demande a déjà été traitée par {by}, le {at}.",
        "This request has already been decided by {by}, on {at}.",
    ),
    "TransitionNotAllowed": (
        "L'état actuel ne permet pas cette action.",
        "The present status does not allow this act.",
    ),
    "AcknowledgementNotAsked": (
        "Cette activité ne demande pas de confirmation de lecture.",
        "This activity does not ask to be acknowledged.",
    ),
    "EscalationTooEarly": (
        "Cette demande pourra être portée devant l'assistance à partir du {on}.",
        "This request can be brought before support from {on} on.",
    ),
    "AttachmentAlreadyEscalated": (
        "Cette demande a déjà été portée devant l'assistance, le {at}.",
        "This request has already been brought before support, on {at}.",
    ),
    "PrincipalManagerPresent": (
        "Le gestionnaire principal peut agir : sa place n'est pas à reprendre.",
        "The principal manager can act: there is no vacancy.",
    ),
    "PrincipalManagerNotYetClaimable": (
        "Le gestionnaire principal, absent, a été averti : sa place pourra être reprise à partir du {at}.",
        "The principal manager has been told of the absence: the principal management may be claimed from {at}.",
    ),
    "PrincipalManagerAlreadyOffered": (
        "La gestion principale est déjà proposée à quelqu'un : retirez d'abord cette proposition.",
        "The principal management is already offered to somebody: withdraw that offer first.",
    ),
    "OfferOver": (
        "Cette proposition n'est plus ouverte.",
        "This offer is no longer open.",
    ),
    "OwnRequest": (
        "On ne traite pas sa propre demande.",
        "Nobody decides on their own request.",
    ),
    "SuccessorRequired": (
        "Vous êtes gestionnaire principal de {structure} : désignez votre successeur.",
        "You are the principal manager of {structure}: name your successor.",
    ),
    "SuccessorNotEligible": (
        "Le successeur doit avoir un compte actif et un rattachement en vigueur à {structure}.",
        "The successor must have an active account and an attachment in effect to {structure}.",
    ),
    "Unauthenticated": ("Connectez-vous d'abord.", "Sign in first."),
    "RateLimited": (
        "Trop de tentatives : réessayez dans {retry_after} secondes.",
        "Too many tries: try again in {retry_after} seconds.",
    ),
    "OperationTimedOut": (
        "L'opération a été interrompue au bout de {seconds} secondes : voyez ce qui en est fait avant de recommencer.",
        "The operation was stopped after {seconds} seconds: see what is done of it before you try again.",
    ),
    "RefetchNeeded": (
        "Ce curseur est trop ancien pour tout rejouer : rechargez les données, puis suivez sans lui.",
        "This cursor is too old for a replay: fetch the data anew, then follow without it.",
    ),
    "RightLost": (
        "Le droit de suivre ces changements a pris fin.",
        "The right to follow these changes has ended.",
    ),
    "SessionOver": ("Votre session est terminée.", "Your session is over."),
    "ReaderTooSlow": (
        "La lecture est trop lente : reprenez avec le dernier curseur.",
        "The reading is too slow: resume with the last cursor.",
    ),
    "ServerStopping": (
        "Ce serveur s'arrête : reconnectez-vous avec le dernier curseur.",
        "This server is stopping: connect again with the last cursor.",
    ),
    "DatabaseAway": (
        "Le service est momentanément indisponible : réessayez dans un instant.",
        "The service is unavailable for the moment: try again shortly.",
    ),
}

RULES: Words = {
    "Invalid.password_again": (
        "Les deux mots de passe diffèrent : saisissez deux fois le même.",
        "The two passwords differ: enter the same one twice.",
    ),
    "Invalid.filename": (
        "Ce nom de fichier n'est pas valable : il est un chemin, ou contient un caractère invisible.",
        "This file name is not valid: it is a path, or has a character that can't be seen.",
    ),
    "Invalid.filename_edge": (
        "Un nom de fichier ne commence ni ne finit par un point ou une espace : il y manque un nom ou une extension.",
        "A file name neither begins nor ends with a dot or a space: it lacks a name, or an extension.",
    ),
    "Invalid.filename_device": (
        "Windows réserve ce nom (con, prn, aux, nul, com1, lpt1...) à un périphérique : renommez le fichier.",
        "Windows keeps this name (con, prn, aux, nul, com1, lpt1...) for a device: rename the file.",
    ),
    "Invalid.text": (
        "Ce texte contient des caractères invisibles ou de contrôle, qui ne sont pas admis.",
        "This text has invisible or control characters, which are not allowed.",
    ),
    "Invalid.email": (
        "Saisissez une adresse électronique comme nom@exemple.fr, sans accent avant l'arobase.",
        "Enter an e-mail address such as name@example.com, without accents before the at sign.",
    ),
    "Invalid.phone": (
        "Saisissez un numéro de téléphone de 3 à 15 chiffres, ou commençant par + et l'indicatif du pays.",
        "Enter a telephone number of 3 to 15 digits, or one starting with + and the country code.",
    ),
    "Invalid.postcode_fr": ("Un code postal français comporte 5 chiffres.", "A French postcode has 5 digits."),
    "Invalid.postcode": (
        "Un code postal ne comporte que des lettres sans accent, des chiffres, des espaces et des tirets.",
        "A postcode has only unaccented letters, digits, spaces and hyphens.",
    ),
    "Invalid.country": (
        "Saisissez le code du pays en deux lettres (ISO 3166), par exemple FR.",
        "Enter the two-letter country code (ISO 3166), for example FR.",
    ),
    "Invalid.language": ("La langue est FR ou EN.", "The language is FR or EN."),
    "Invalid.time_zone": (
        "Saisissez un fuseau horaire de la base IANA, par exemple Europe/Paris.",
        "Enter a time zone of the IANA database, for example Europe/Paris.",
    ),
    "Invalid.cursor": ("Ce curseur n'appartient pas à cette liste.", "This cursor does not belong to this list."),
    "Invalid.page_size": ("Une page compte de 1 à 100 éléments.", "A page has 1 to 100 elements."),
    "Invalid.first_or_last": ("Donnez first ou last, pas les deux.", "Give first or last, not both."),
    "Invalid.ended": (
        "Ce rattachement est arrivé à son terme : déplacez sa date de fin.",
        "This attachment has ended: move its end date.",
    ),
    "Invalid.end_before_start": (
        "La date de fin ne peut pas précéder la date de début.",
        "The end date can't be before the start date.",
    ),
    "Invalid.past": ("Cette date est passée.", "This date is in the past."),
    "Invalid.end_in_past": ("La date de fin ne peut pas être passée.", "The end date can't be in the past."),
    "Invalid.principal_has_no_end": (
        "Le rattachement du gestionnaire principal n'a pas de date de fin.",
        "The principal manager's attachment has no end date.",
    ),
    "Invalid.date_range": (
        "Saisissez une date entre 1900 et 9999.",
        "Enter a date between 1900 and 9999.",
    ),
    "Invalid.role_given": (
        "Un gestionnaire principal est désigné par une transmission, pas par un changement de rôle.",
        "A principal manager is named by a transfer, not by a change of role.",
    ),
    "Invalid.twice": ("Cet élément figure deux fois.", "This element appears twice."),
    "Invalid.null": ("Cette valeur ne peut pas être nulle.", "This value can't be null."),
    "Invalid.individual_name": (
        "Donnez soit une raison sociale, soit le nom et le prénom d'un particulier.",
        "Give either a business name, or the first and last name of an individual.",
    ),
    "Invalid.criterion": (
        "Donnez au moins un critère de recherche.",
        "Give at least one search criterion.",
    ),
    "Invalid.identifier_prefix": (
        "Donnez au moins les 3 premiers caractères de l'identifiant.",
        "Give at least the first 3 characters of the identifier.",
    ),
    "Invalid.directory_type": (
        "Ce type d'identifiant n'est pas connu : SIRET, UE_HORS_FRANCE, HORS_UE, RIDET, TAHITI, PARTICULIER ou AUTRE.",
        "This type of identifier is not known: SIRET, UE_HORS_FRANCE, HORS_UE, RIDET, TAHITI, PARTICULIER or AUTRE.",
    ),
    "Invalid.yes_or_no": ("Saisissez oui ou non.", "Enter yes or no."),
    "Invalid.cells": (
        "Cette ligne n'a pas autant de cellules que la première.",
        "This line has not as many cells as the first one.",
    ),
    "Invalid.repeated": (
        "Une ligne précédente porte déjà cet identifiant.",
        "An earlier line has this identifier already.",
    ),
    "Invalid.own_structure": (
        "Choisissez une structure à laquelle vous êtes rattaché.",
        "Choose a structure to which you are attached.",
    ),
    "Invalid.public_flag": (
        "Ce réglage n'existe que pour une structure publique.",
        "This setting exists for public structures only.",
    ),
    "Invalid.same_identifier": (
        "C'est déjà l'identifiant de cette structure.",
        "This is the structure's identifier already.",
    ),
    "Invalid.same_person": (
        "Le successeur doit être quelqu'un d'autre.",
        "The successor must be somebody else.",
    ),
    "Invalid.url": (
        "Saisissez une adresse absolue en http:// ou https://, sans mot de passe, ses caractères spéciaux encodés.",
        "Enter an absolute address in http:// or https://, without a password, its special characters encoded.",
    ),
    "Invalid.time_zone_given": (
        "Donnez l'instant avec son fuseau, par exemple 2026-01-31T09:30:00+01:00.",
        "Give the moment with its time zone, for example 2026-01-31T09:30:00+01:00.",
    ),
    "Invalid.occurrence": (
        "Donnez un instant depuis l'an 2000, au plus un jour après maintenant.",
        "Give a moment since the year 2000, at most one day after now.",
    ),
    "Invalid.delivery": (
        "Aucun cookie ne peut être posé ici : demandez le jeton dans la réponse.",
        "No cookie can be set here: ask for the token in the body.",
    ),
    "WeakPassword.composition": (
        "Le mot de passe compte au moins 12 caractères avec minuscule, majuscule, chiffre et caractère spécial,"
        " ou au moins 14 avec minuscule, majuscule et chiffre.",
        "The password has at least 12 characters with a lower-case letter, an upper-case letter, a digit and a special"
        " character, or at least 14 with a lower-case letter, an upper-case letter and a digit.",
    ),
    "WeakPassword.common": (
        "Ce mot de passe est trop courant, ou n'est qu'un mot courant suivi de chiffres ou de signes.",
        "This password is too common, or only a common word with digits or signs around it.",
    ),
    "WeakPassword.login": (
        "Le mot de passe ne doit pas reprendre votre identifiant.",
        "The password must not repeat your login.",
    ),
    "WeakPassword.product": (
        "Ce mot de passe repose sur le nom de ce service : ajoutez au moins 8 autres caractères.",
        "This password is built on the name of this service: add at least 8 other characters.",
    ),
    "WeakPassword.names": (
        "Ce mot de passe repose sur votre nom ou votre identifiant : ajoutez au moins 8 autres caractères.",
        "This password is built on your name or login: add at least 8 other characters.",
    ),
    "WeakPassword.address": (
        "Ce mot de passe repose sur votre adresse : ajoutez au moins 8 autres caractères.",
        "This password is built on your address: add at least 8 other characters.",
    ),
    "WeakPassword.keyboard": (
        "Ce mot de passe suit les touches du clavier ou l'alphabet : ajoutez au moins 8 caractères sans suite.",
        "This password follows the keys of the keyboard or the alphabet: add at least 8 characters in no such order.",
    ),
    "InvalidIdentifier.SIRET": (
        "Un SIRET comporte 14 chiffres, dont le dernier est une clé de contrôle.",
        "A SIRET has 14 digits, the last of which is a check digit.",
    ),
    "InvalidIdentifier.EU_VAT": (
        "Un numéro de TVA intracommunautaire commence par le code d'un État membre autre que FR (EL pour la Grèce),"
        " suivi de 2 à 12 chiffres ou lettres majuscules.",
        "An EU VAT number starts with the code of a member state other than FR (EL for Greece), followed by 2 to 12"
        " digits or capital letters.",
    ),
    "InvalidIdentifier.NON_EU": (
        "Un identifiant hors UE commence par le code d'un pays hors de l'Union européenne (deux lettres), suivi de"
        " 1 à 16 caractères.",
        "A non-EU identifier starts with the two-letter code of a country outside the European Union, followed by"
        " 1 to 16 characters.",
    ),
    "InvalidIdentifier.RIDET": ("Un RIDET comporte 9 ou 10 chiffres.", "A RIDET has 9 or 10 digits."),
    "InvalidIdentifier.TAHITI": (
        "Un numéro TAHITI comporte une lettre ou un chiffre, puis 5 chiffres, éventuellement suivis de 3 autres.",
        "A TAHITI number has a letter or digit, then 5 digits, optionally followed by 3 more.",
    ),
    "InvalidIdentifier.INDIVIDUAL": (
        "L'identifiant d'un particulier comporte de 1 à 80 caractères imprimables.",
        "An individual's identifier has 1 to 80 printable characters.",
    ),
    "InvalidIdentifier.OTHER": (
        "Cet identifiant comporte de 1 à 80 caractères imprimables.",
        "This identifier has 1 to 80 printable characters.",
    ),
    "ConfirmationRequired.terms": (
        "Acceptez les conditions d'utilisation.",
        "Accept the terms of use.",
    ),
    "ConfirmationRequired.deactivation": (
        "Confirmez la désactivation de votre compte.",
        "Confirm the deactivation of your account.",
    ),
    "ConfirmationRequired.public_structure": (
        "Cette structure est publique : un fournisseur ne doit pas se rattacher à celle qu'il facture. Confirmez.",
        "This structure is public: a supplier must not attach to the body it invoices. Please confirm.",
    ),
}
