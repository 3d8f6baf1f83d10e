"""What the domain's refusals say to people. One sentence each: what is wrong, and what to do."""

from datetime import date, datetime

from consultations.refusals import Code, Refusal
from participation import i18n

#: Marks a message for the catalogues.
N_ = str

MESSAGES: dict[Code, str] = {
    Code.NOT_ALLOWED: N_("You may not do this here. Ask an administrator for the role you need."),
    Code.NOT_FOUND: N_("We could not find this."),
    Code.FROM_ELSEWHERE: N_(
        "For your safety this was not accepted, because it did not come from this website."
        " Please open the page here again and send it once more."
    ),
    Code.SIGN_IN_FAILED: N_("This did not work. Please check your e-mail address and your password."),
    Code.ROLE_IS_FOR_TOWN: N_("This role is for the whole town only."),
    Code.OWN_HOST: N_("Please keep %(name)s: it is the address by which you are here."),
    Code.OWN_ACCOUNT: N_("You cannot do this to yourself. Please ask another administrator."),
    Code.SIGN_IN_INTERRUPTED: N_("The sign-in was interrupted or took too long. Please try again."),
    Code.PASSWORD_TOO_SHORT: N_("Please choose a password of at least %(limit)s characters."),
    Code.INVITATION_EXPIRED: N_(
        "This link has been used or is too old. Please ask your administrator for a new one."
    ),
    Code.PROVIDER_UNREACHABLE: N_(
        "The sign-in service does not answer. Please try again later, or use your password."
    ),
    Code.EMPTY_CONTRIBUTION: N_("Please write something or attach a file."),
    Code.TEXT_TOO_LONG: N_("This is longer than %(limit)s characters. Please attach long texts as a file."),
    Code.WRITTEN_AFTER_RECEIVED: N_("The date of writing cannot be later than the date of receipt."),
    Code.RECEIVED_IN_FUTURE: N_("The date of receipt cannot lie in the future."),
    Code.PHASE_NOT_STARTED: N_("This has not begun yet. It starts on %(starts)s."),
    Code.PHASE_CLOSED: N_("This has ended on %(ended)s."),
    Code.KIND_NOT_OPEN: N_("This consultation does not take contributions of this kind."),
    Code.UNKNOWN_REFERENCE: N_("What this refers to does not belong to this consultation."),
    Code.LOCATION_REQUIRED: N_("Please choose a place: on the map, from the list or in words."),
    Code.LOCATION_INVALID: N_("This place cannot be used. Please choose it again."),
    Code.ALREADY_WITHDRAWN: N_("This has already been withdrawn."),
    Code.CODE_UNKNOWN: N_(
        "We know no contribution with this code. Please compare it with your receipt; it has eight characters."
    ),
    Code.SOME_NAME_REQUIRED: N_("Please give a name; a made-up one is enough."),
    Code.OWN_NAME_REQUIRED: N_("Please give the name of whoever says it. Only the town hall reads it."),
    Code.ATTACHMENTS_TOO_MANY: N_("Please attach no more than %(limit)s files."),
    Code.UNKNOWN_CHANNEL: N_("There is no way of handing in called “%(channel)s”."),
    Code.FILE_EMPTY: N_("The file “%(filename)s” is empty."),
    Code.FILE_TYPE_NOT_ALLOWED: N_("We cannot take “%(filename)s”. Please send one of these: %(allowed)s."),
    Code.FILE_NOT_WHAT_IT_SAYS: N_(
        "The file “%(filename)s” is not what its ending says. Please save it again, for example as PDF."
    ),
    Code.FILE_BROKEN: N_("The file “%(filename)s” is damaged and cannot be opened. Please save it again."),
    Code.FILE_ENCRYPTED: N_("The file “%(filename)s” has a password. Please save it without one."),
    Code.FILE_HAS_MACROS: N_(
        "The file “%(filename)s” contains macros. Please save it without them, or as PDF."
    ),
    Code.FILE_EXPANDS_TOO_MUCH: N_(
        "The file “%(filename)s” unpacks to more than we can take. Please save it again, for example as PDF."
    ),
    Code.PICTURE_TOO_LARGE: N_(
        "The picture “%(filename)s” has %(megapixels)s megapixels; at most %(limit)s are possible. "
        "Please make it smaller."
    ),
    Code.FILE_STORE_UNREACHABLE: N_(
        "Files cannot be kept at the moment. Your text is still here: please try again in a moment, or send it "
        "without files."
    ),
    Code.DATES_REVERSED: N_("The end cannot be before the start."),
    Code.TABLE_DAYS: N_(
        "Please check the days: the last one cannot be over, nor before the first, nor more than %(days)s days away."
    ),
    Code.NAME_TAKEN: N_("“%(name)s” is already taken. Please choose another one."),
    Code.NOT_READY: N_("Something is still missing before this can be published."),
    Code.WRONG_STATE: N_("This is not possible in its present state."),
    Code.PLAN_AREA_INVALID: N_("A plan area has to be an area, not a point or a line."),
    Code.PHASE_IN_USE: N_("This phase already has contributions and cannot be removed."),
    Code.DOCUMENT_FROZEN: N_(
        "“%(title)s” lies open until %(until)s and cannot be replaced or taken off. There are two lawful ways: a "
        "correction note beside it, or a new beginning of the period."
    ),
    Code.RESTART_TOO_EARLY: N_("The period can begin anew on %(earliest)s at the earliest."),
    Code.PERIOD_TOO_SHORT: N_("This is too short: the law asks for %(minimum)s at the earliest."),
    Code.MUST_BE_CONSIDERED: N_("By your answers the law demands that it is considered."),
    Code.CERTIFICATE_UNKNOWN: N_(
        "We know no certificate with this number. Please compare it with the paper, sign by sign."
    ),
    Code.TEMPLATE_EMPTY: N_("A template needs at least one step, and at most %(limit)s."),
    Code.END_NOT_LATER: N_("The new last day has to be later than %(ends)s."),
    Code.NOT_RUNNING: N_("This is possible only while the phase is running."),
    Code.UNLAWFUL_DATES: N_(
        "With these dates the consultation could be attacked. Please see what the law says."
    ),
    Code.RENEWAL_NEEDED: N_("By these answers the participation has to be renewed. Please enter its dates."),
    Code.CHANGED_MEANWHILE: N_(
        "Somebody else has changed this meanwhile. Please look at the new version first."
    ),
    Code.BLOCK_STANDS: N_("This must be mended; no reason can take its place."),
    Code.NOTHING_TO_RELEASE: N_("This phase is released already, or needs no release."),
    Code.PROMISED: N_(
        "This was announced and must stay until the phase is over. You can add to it, but take nothing away."
    ),
    Code.NESTED_IN_CIRCLE: N_(
        "“%(title)s” is this consultation itself or a part of it; it cannot be the other way round as well."
    ),
    Code.NESTED_TOO_DEEP: N_(
        "Consultations nest at most %(levels)s deep, such as area, project, part. With “%(title)s” above it this would be "
        "deeper."
    ),
    Code.NESTED_ELSEWHERE: N_("Please choose a consultation of this municipality from the list."),
    Code.CLAIMED_BY_OTHER: N_("%(name)s is working on this until %(until)s."),
    Code.DECIDED_MEANWHILE: N_(
        "Somebody else has decided on this meanwhile. Please look at the decision first."
    ),
    Code.REASON_REQUIRED: N_("Please give a reason."),
    Code.NOTHING_REDACTED: N_("Nothing is blacked out yet: the public version is the same as the original."),
    Code.NOTHING_TO_UNDO: N_("There is no decision to take back."),
    Code.TOPIC_UNKNOWN: N_("Please choose one of the topics of this consultation."),
    Code.TOPIC_NAMELESS: N_("Please give the topic a name."),
    Code.NOT_OPENED: N_("The consultation does not take this in at the moment."),
    Code.SECTION_UNKNOWN: N_("This proposal has no section of that name."),
    Code.SECTION_NAMELESS: N_("Please give the section a name in the first language."),
    Code.SECTIONS_TOO_MANY: N_("A proposal is asked for at most %(limit)s sections of your own."),
    Code.SECTIONS_WRITTEN: N_(
        "Somebody has written a proposal in these sections already. Their names and hints can still change; which there are and "
        "their order stay."
    ),
    Code.SECTION_REQUIRED: N_(
        "Please write something here; without it others cannot understand the proposal."
    ),
    Code.TEXT_MOVED_ON: N_(
        "Somebody else has changed the same words meanwhile. Nothing is lost: please compare both and decide what shall "
        "stand."
    ),
    Code.NOTHING_CHANGED: N_("Nothing is different yet. Please change the words that you mean."),
    Code.PROPOSAL_CLOSED: N_("This proposal takes nothing more in."),
    Code.AMENDMENT_CLOSED: N_("This amendment has been decided on already."),
    Code.AMENDMENT_BLACKED_OUT: N_(
        "Words of it were blacked out, so you would take in what you cannot read. Please write the change yourself, or say"
        " why you do not take it in."
    ),
    Code.OWNER_DECIDES: N_("Until %(until)s its author decides."),
    Code.UNION_SAME: N_("Please name another proposal of the same consultation."),
    Code.UNION_ASKED: N_(
        "One of the two is asked already whether it wants to be merged. Please wait for the answer."
    ),
    Code.UNION_BLACKED_OUT: N_("Words of this proposal were blacked out; it cannot take another one in."),
    Code.WISH_UNREAD: N_(
        "The joint words have not been read by the town hall yet, or were kept back. Only then can one agree to them."
    ),
    Code.UNION_CLOSED: N_("This has been decided on already."),
    Code.SUPPORT_LIMIT: N_(
        "You have already supported %(limit)s proposals here. You can take one back first."
    ),
    Code.SUPPORT_DECLARE: N_("Please confirm this: here only people of whom it is true can take part."),
    Code.ACCOUNT_REQUIRED: N_("Please sign in first: here only people with an account can take part."),
    Code.SUPPORT_RUSH: N_(
        "Very many supports are coming from your network right now. Yours was not counted yet: please try again in a "
        "minute, or sign in, or support it on paper at the counter. You can read everything meanwhile."
    ),
    Code.PICTURE_NEEDED: N_("“%(filename)s” is no picture. Please take a JPEG or PNG file."),
    Code.NOTHING_CHOSEN: N_("Please choose at least one."),
    Code.LIST_EMPTY: N_("There is no line with a name yet."),
    Code.LIST_TOO_LONG: N_(
        "A list has at most %(limit)s lines here. Please enter the rest as a further list."
    ),
    Code.FOUR_EYES: N_("Somebody else has to do this: four eyes see more than two."),
    Code.ANSWER_INCOMPLETE: N_("Please fill this in: without it the answer cannot go on."),
    Code.COSTS_TURNED: N_("The lower amount has to come first."),
    Code.ADDRESS_INVALID: N_("This is no web address that we can link to. It begins with https://."),
    Code.LINK_EXPIRED: N_("This link is no longer valid. Please enter your address again."),
    Code.LAST_OWNER: N_("You own this proposal. Please hand it over to a co-author first, or withdraw it."),
    Code.INVITED_BEFORE: N_("This address has been asked already. You can also pass on a link or a code."),
    Code.INVITATIONS_TOO_MANY: N_(
        "That were %(limit)s invitations by mail within a day. You can also pass on a link or a code."
    ),
    Code.SURVEY_NAMELESS: N_("Please give the survey a title."),
    Code.SURVEY_EMPTY: N_("Please add a question first."),
    Code.SURVEY_ANSWERED: N_(
        "Somebody has answered already, so the questions and what was said of the results stand still. Title and"
        " introduction can still change; for other questions please make a copy."
    ),
    Code.QUESTIONS_TOO_MANY: N_("Please ask at most %(limit)s questions."),
    Code.QUESTION_NAMELESS: N_("Please write the question."),
    Code.OPTIONS_TOO_FEW: N_("Please enter at least two answers, one on each line."),
    Code.OPTIONS_TOO_MANY: N_("Please enter at most %(limit)s answers."),
    Code.BOUNDS_TURNED: N_("These numbers do not fit together, or not the number of answers."),
    Code.CONDITION_UNKNOWN: N_(
        "Please name an earlier question with answers to choose from, and one of its answers as it stands there."
    ),
    Code.ANSWER_REQUIRED: N_("Question %(number)s: please answer it."),
    Code.ANSWER_UNKNOWN: N_("Question %(number)s: please choose from the answers that stand there."),
    Code.ANSWER_TOO_LONG: N_("Please use at most %(limit)s characters. Nothing has been cut."),
    Code.ANSWER_DECLARE: N_("Please confirm this: without it your answers cannot be counted."),
    Code.ANSWERED_BEFORE: N_(
        "You have answered this survey already. With the access code of your receipt you can change your answers."
    ),
    Code.CHOSEN_TOO_FEW: N_("Question %(number)s: please choose at least %(least)s."),
    Code.CHOSEN_TOO_MANY: N_("Question %(number)s: please choose at most %(most)s."),
    Code.RANK_TWICE: N_("Question %(number)s: place %(place)s is given twice. Please give each place once."),
    Code.NOTHING_ANSWERED: N_("Please answer at least one question."),
    Code.NOT_BLACKENED: N_("Please only black out words (█); none may be added or changed."),
    Code.REWORDED_TOO_OFTEN: N_(
        "That were %(limit)s new wordings within a day, and somebody reads each of them. Please go on tomorrow; what you "
        "wrote still stands here."
    ),
    Code.DESCRIPTION_REQUIRED: N_("Please say in a few words what the picture “%(filename)s” shows."),
    Code.NUMBER_OUT_OF_RANGE: N_("Please enter a number from %(least)s to %(most)s."),
    Code.VOTE_TOO_FEW: N_("Please choose at least %(limit)s proposals that stand for election."),
    Code.VOTE_UNFIT: N_(
        "%(reference)s was withdrawn, merged or taken off meanwhile. Please take it off the ballot."
    ),
    Code.VOTE_COST_MISSING: N_("Please enter what %(reference)s costs: without it nobody can add up."),
    Code.VOTE_HOLDS: N_("This proposal stands in a vote. Its text stands still until the vote is counted."),
    Code.VOTE_OVER: N_("The phase of this vote has ended."),
    Code.VOTE_CODES_OUT: N_(
        "Voting codes are printed. Please cancel these prints first, so that no old ballot votes for something else."
    ),
    Code.VOTE_PUT_UP: N_("A vote is put up in this phase, so voting stays open in it."),
    Code.VOTE_NOT_OVER: N_("This vote is still running. It can be counted once its phase is over."),
    Code.VOTE_PAPER_WAITS: N_(
        "Batches of paper are not finished yet: %(batches)s. Please have them typed in twice first."
    ),
    Code.VOTE_PRINTED_BEFORE: N_(
        "These codes were printed already. They are not kept: if the paper is lost, cancel the print and make a new one."
    ),
    Code.VOTE_ONE_WAY: N_(
        "Please choose one way: whoever had a code and an account could vote twice. People with an account type their code in, too."
    ),
    Code.VOTE_LETTER_UNKNOWN: N_("There is no letter with this number that could still vote."),
    Code.VOTE_LETTER_USED: N_(
        "Somebody has voted with this letter already, so it cannot be cancelled. What was voted nobody can see."
    ),
    Code.VOTE_CODE_UNKNOWN: N_(
        "We do not know this code. Please compare it with your letter: ten signs, no O and 0, no I and 1."
    ),
    Code.VOTE_CODE_USED: N_(
        "A vote was cast with this code already, online or on paper. It is counted and secret: nobody can find or change"
        " it. If that was not you, please call us."
    ),
    Code.VOTED_ALREADY: N_(
        "You have voted already. Your vote is counted and secret: nobody can find or change it, not even you."
    ),
    Code.BALLOT_NOTHING: N_("Nothing is chosen yet."),
    Code.BALLOT_UNKNOWN: N_(
        "There is something on this ballot that is not up for election. Please open it anew."
    ),
    Code.BALLOT_NUMBER: N_("Please enter a whole number from 0 to %(most)s."),
    Code.BALLOT_SAME_PLACE: N_("Place %(place)s is given twice. Please give every place only once."),
    Code.BALLOT_TOO_MANY: N_(
        "You have chosen %(found)s proposals, and %(most)s are possible. Please take %(over)s away."
    ),
    Code.BALLOT_POINTS: N_(
        "You have given %(found)s points, and %(most)s are possible. Please take %(over)s away."
    ),
    Code.BALLOT_MONEY: N_(
        "What you have chosen costs %(found)s € together, and there are %(most)s €. That is %(over)s € too much."
    ),
    Code.BALLOT_UNREADABLE: N_(
        "Ballot %(number)s: please write the numbers that are crossed, such as 2 5, and points such as 2=3 5=1."
    ),
    Code.BATCH_INCOMPLETE: N_(
        "There are %(expected)s ballots in this batch, and %(found)s are typed in. Please enter every ballot, an empty one too."
    ),
    Code.MAPPING_INVALID: N_("The mapping does not fit: %(problem)s."),
    Code.TABLE_UNREADABLE: N_("The table “%(filename)s” cannot be read: %(problem)s."),
    Code.TABLE_TOO_LONG: N_("The table has more than %(limit)s lines. Please divide it."),
    Code.TABLE_BROKEN: N_(
        "The file “%(filename)s” is damaged, or no table. Please save it again as XLSX or CSV."
    ),
    Code.TABLE_NOT_TEXT: N_(
        "The text of “%(filename)s” is neither UTF-8 nor Windows-1252: line %(line)s has a character that is in neither."
    ),
    Code.TABLE_LINE_WRONG: N_(
        "Line %(line)s has %(found)s cells, the heading has %(expected)s. Often a separator is missing or stands in a text without quotation marks."
    ),
    Code.TABLE_COLUMN_MISSING: N_(
        "The table has no column “%(name)s”. Its first line has to name the columns."
    ),
    Code.TABLE_COLUMN_DOUBLED: N_("The table has two columns “%(name)s”. Please keep one of them."),
    Code.LINE_DOUBLED: N_("The same as in line %(line)s."),
    Code.SOURCE_ID_MISSING: N_("The line has no id of its own."),
    Code.PARENT_UNKNOWN: N_("It answers “%(parent)s”, which is not here."),
    Code.DATE_IMPOSSIBLE: N_("“%(date)s” is not a date we can read. Please write it like 02.03.2027."),
    Code.EMAIL_INVALID: N_("“%(address)s” is not an e-mail address."),
    Code.SUBJECT_UNKNOWN: N_("There is no subject area called “%(name)s” here."),
    Code.AREA_UNKNOWN: N_("The town has no area called “%(name)s”."),
    Code.KIND_UNKNOWN: N_("“%(name)s” is not a kind of agency that we know."),
    Code.OWN_PERIOD_TOO_SHORT: N_(
        "That is shorter than the law allows for %(agency)s: the earliest last day is %(minimum)s."
    ),
    Code.OWN_PERIOD_TOO_LONG: N_(
        "That is longer than the law allows for %(agency)s: the latest last day is %(maximum)s."
    ),
    Code.NOBODY_TO_ASK: N_("Nobody on the list waits for an invitation."),
    Code.NOBODY_TO_REMIND: N_(
        "There is nobody to remind: everybody has answered, or was asked or reminded today."
    ),
    Code.ADDRESS_MISSING: N_(
        "%(agency)s has neither an e-mail address nor a postal address. Please add one to the register."
    ),
    Code.LINK_UNKNOWN: N_(
        "We do not know this code, or it is no longer valid. Please compare it with your letter."
    ),
    Code.MAY_NOT_RELEASE: N_("Only those who release statements for your agency may do this."),
    Code.DATABASE_BUSY: N_("The server is very busy. Nothing is lost: please send it again in a moment."),
    Code.DISK_FULL: N_(
        "The server has no room left. Your text is still here: please try again later or call us."
    ),
    Code.TOO_MANY_FOLLOWED: N_("You follow %(limit)s things in your account already. Please end one first."),
    Code.TOO_MANY_TRIES: N_("There were too many tries. Please wait a few minutes, or call us."),
    Code.TOO_MANY_UPLOADS: N_(
        "Very many files have come in a short time. “%(filename)s” was not taken: please attach it again in a few"
        " minutes. Everything else is kept."
    ),
    Code.UPLOADS_USED_UP: N_(
        "So much has come from your internet connection within an hour that “%(filename)s” was not taken. Everything you"
        " have typed is kept. Please attach it again in an hour, or send it by e-mail or letter, or bring it to our counter."
    ),
    Code.UPLOADS_BUSY: N_(
        "Very many files are being checked right now. Please attach yours again in a moment. What you have typed is"
        " kept."
    ),
    Code.REFERENCE_REQUIRED: N_(
        "Please also enter the reference number. You find it on your receipt, next to the code."
    ),
    Code.UPLOAD_TOO_LARGE: N_(
        "Together this is larger than %(limit)s MB. Please send fewer or smaller files, or bring or post them."
    ),
    Code.FILE_TOO_LARGE: N_(
        "“%(filename)s” is larger than %(limit)s MB. Please send a smaller file, or bring or post it."
    ),
    Code.FORM_INCOMPLETE: N_("Please check the marked fields."),
}

#: HTTP status for a refusal that no form takes up; 422 for all others.
STATUS: dict[Code, int] = {
    Code.NOT_ALLOWED: 403,
    Code.ACCOUNT_REQUIRED: 403,
    Code.NOT_FOUND: 404,
    Code.OWN_ACCOUNT: 403,
    Code.FROM_ELSEWHERE: 403,
    Code.INVITATION_EXPIRED: 410,
    Code.PROVIDER_UNREACHABLE: 503,
    Code.CHANGED_MEANWHILE: 409,
    Code.CLAIMED_BY_OTHER: 409,
    Code.DECIDED_MEANWHILE: 409,
    Code.UPLOAD_TOO_LARGE: 413,
    Code.FILE_TOO_LARGE: 413,
    Code.TOO_MANY_TRIES: 429,
    Code.SUPPORT_RUSH: 429,
    Code.VOTE_CODE_USED: 409,
    Code.VOTED_ALREADY: 409,
    Code.LINK_EXPIRED: 410,
    Code.TOO_MANY_UPLOADS: 429,
    Code.UPLOADS_USED_UP: 429,
    Code.DATABASE_BUSY: 503,
    Code.UPLOADS_BUSY: 503,
    Code.FILE_STORE_UNREACHABLE: 503,
    Code.DISK_FULL: 507,
}


#: Where no page answers, by status: HTTP itself refuses, or we made a mistake; whatever is not here was not understood.
UNANSWERED = {
    405: N_("It only takes in what a form sends."),
    500: N_("This page could not be made."),
}
NOT_UNDERSTOOD = N_("What your browser sent could not be read.")


def explain_status(status: int, language: str) -> str:
    """Why no page answers a request, as a sentence."""
    return i18n.translations(language).gettext(UNANSWERED.get(status, NOT_UNDERSTOOD))


def explain(refusal: Refusal, language: str) -> str:
    """A refusal as a sentence; dates and moments among its facts are spelled in the language."""
    facts: dict[str, object] = {}
    for name, value in refusal.facts.items():
        if isinstance(value, datetime):
            facts[name] = i18n.datetime_long(value, language)
        elif isinstance(value, date):
            facts[name] = i18n.date_long(value, language)
        elif isinstance(value, int) and not isinstance(value, bool):
            facts[name] = i18n.number(value, language)
        else:
            facts[name] = value
    return i18n.translations(language).gettext(MESSAGES[refusal.code]) % facts
