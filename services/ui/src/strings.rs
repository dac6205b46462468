//! Every English text of the pages.

use bus_schema::AuthorId;

use crate::{record::TaskKind, units::size};

macro_rules! texts { ($($name:ident = $text:literal;)*) => { $(pub(crate) const $name: &str = $text;)* } }

texts! {
    // Words of several pages.
    ACTION = "Action";
    AFTER = "after";
    ALL_FACTS = "All its facts";
    ANSWER_BY = "Answer by";
    ASKED = "Asked";
    ATTEMPT = "attempt";
    BY = "by";
    BY_RULE = "by rule";
    CANCELLED = "It was cancelled";
    CHANGE = "Change";
    CLAIMED = "Claimed";
    CONTRACT = "contract";
    DETAILS = "Everything about it";
    DIALOGUE = "dialogue with a model";
    DETERMINED = "contract, your own words and trusted results left no other";
    EXECUTOR = "Executor";
    JOB = "job";
    LAST = "Last event";
    LAST_WORDS = "The answer of the model";
    LIMITS = "Limits";
    MAY_IT = "May it use";
    MESSAGE = "message";
    OF_OUTPUT = "of output";
    OUTPUT = "Output";
    OUTWARD = "something leaves";
    PROPOSED = "Proposed";
    RULE = "rule";
    SESSION = "session";
    STEP = "step";
    SUBMITTED = "submitted";
    TASK = "task";
    TOKENS = "tokens";
    UNTIL = "until";
    UNTRUSTED = "untrusted";
    UNTRUSTED_TEXT = "Anybody may have written this result.";
    SECRET = "secret";
    SECRET_TEXT = "Nobody outside may read this result.";
    VALUES = "Values";
    VERSION = "version";
    SIGNED = "signed";

    // The frame.
    AS_OF = "This page shows the record up to message";
    HALTED_SHORT = "Everything is halted.";
    NOT_FOUND = "There is no such page";
    NOT_FOUND_TEXT = "Nothing with this name or id is kept here. The newest 1,000 tasks are; the command line shows the others.";
    MALFORMED = "This address is not complete";
    MALFORMED_TEXT = "A part of it is not what it has to be, such as the id of a task. Open the page by its link again.";
    TO_HOME = "To the first page";
    TOO_LONG = "This page is too long";
    TOO_LONG_TEXT = "Its texts do not fit into one page. The command line shows them, each whole: contractual task show, contractual contract show.";
    PAGES = "Pages of the list";
    FIRST = "First";
    PREVIOUS = "Previous";
    NEXT = "Next";
    LAST_PAGE = "Last";
    NEWEST = "Newest";
    OLDER = "Older";
    MORE_IN_COMMAND = "There are more; the command line lists all:";

    // Contents.
    NO_ARGUMENTS = "It has no arguments.";
    EMPTY_CONTENT = "It is empty.";
    ERASED = "These bytes were erased. The record of them stays valid.";
    NOT_FETCHED = "These bytes could not be fetched now. Load the page again.";

    // Home.
    HOME = "Home";
    ALL_WELL = "Nothing is halted, and every service has started.";
    HALTED = "You halted everything at";
    HALTED_TEXT = "Nothing is granted and nothing runs until you resume.";
    DOUBTED = "The stream was replaced:";
    DOUBTED_TEXT = "These services found another stream than the one that they had read, and do nothing until you adopt it.";
    NEVER_STARTED = "Not started yet:";
    NEVER_STARTED_TEXT = "What needs these services waits for them.";
    WAITING = "Waiting for you";
    NO_WAITING = "No question waits for you";
    NO_WAITING_TEXT = "When a contract says that a call needs your yes, the call appears here with all its arguments and the time until which you can answer.";
    RUNNING = "Running";
    NO_RUNNING = "Nothing runs now";
    NO_RUNNING_TEXT = "A task runs under a contract that you signed. Start one with its playbook:";
    RUN_COMMAND = "contractual run --contract contract.toml --playbook playbook.toml";
    NO_TASKS = "There are no tasks yet";
    NO_TASKS_TEXT = "A task is a piece of work that an agent or a playbook does under a contract that you signed. The example signs one and runs it:";
    DEMO_COMMAND = "contractual demo";
    REFUSED_TODAY = "Refused today";
    NO_REFUSED = "Nothing was refused today";
    NO_REFUSED_TEXT = "When no rule of a contract permits a call, it is refused. It appears here with the rule, and with the smallest change of the contract that would allow it.";
    FIX = "The smallest change of the contract that would allow it:";
    ATTENDED = "The contract demands that a person answers this at a terminal.";
    VERIFIED = "The contract demands a passkey for a yes: answer with a device that has one.";
    REVIEW = "Review and sign";
    HOW_TO_ANSWER = "Or answer on the machine that holds your key. Each command shows the call again and signs your answer:";

    // Tasks.
    TASKS = "Tasks";
    TASKS_TEXT = "Every piece of work, newest first.";
    OLDER_TASKS = "Only the newest 1,000 tasks are kept here; contractual audit show has the others.";
    TIMELINE = "What it did";
    NO_ACTIONS = "It has asked for nothing yet";
    NO_ACTIONS_TEXT = "Each call of a tool appears here with the verdict on it and its result.";
    WISH = "What you asked for";
    PLAYBOOK = "The playbook";
    SLOTS = "The values that you filled in";
    STOP = "Stop this task";
    STOP_TEXT = "Nothing more of it is granted, its running programs are killed, and its questions end:";
    REJECTED = "Policy rejected it:";
    PROOF = "Proof";
    COVERED = "The log of audit covers them all, up to message";
    NOT_COVERED = "The next checkpoint of audit's log will cover the last of them.";
    PROOF_TEXT = "This page proves nothing by itself. The command line reads the record again, and checks each signature and the log with your key alone:";
    UNKNOWN_TEXT = "It was claimed and reported no outcome in time, so nobody knows how far it went. It is never repeated by itself.";

    // Contracts.
    CONTRACTS = "Contracts";
    CONTRACTS_TEXT = "What agents and jobs may do, as you signed it. Whatever no contract permits is refused.";
    NO_CONTRACTS = "You have not signed a contract yet";
    NO_CONTRACTS_TEXT = "A contract says which tools a task may use, with which values, what it has to ask about, and what it may never do. Write the first one from a template:";
    NEW_CONTRACT = "contractual contract new --task-text 'Sort my inbox'";
    HOLDS_UNTIL = "holds until";
    SENTENCES = "In sentences";
    NO_SENTENCES = "The sentences need the text of the contract and the catalogue of tools; one of them is not there.";
    UNREADABLE = "With today's catalogue of tools the text cannot be read:";
    TEXT = "As you signed it";
    VERSIONS = "All versions";
    EXPIRED_TEXT = "Its time is over: it permits nothing any more. Sign a version with a later end to go on.";
    OFFERED_TEXT = "You signed it; policy has not put it in force yet.";
    REVOKE = "Revoke it";
    REVOKE_TEXT = "From then on nothing is granted or claimed under it. Its running tasks end with their next call:";
    SUSPENDED_TEXT = "Its tools, or the programs that read it, are not those of the day of your signature. Nothing is granted under it until you sign it again. What differs:";
    REPLACED_TEXT = "A newer version is in force instead.";
    REVOKED_TEXT = "You revoked it at";
    CONTRACT_REJECTED = "Policy did not put it in force:";

    // Jobs.
    JOBS = "Jobs";
    JOBS_TEXT = "Work that starts by itself, at its times or on a message, each run under its contract.";
    NO_JOBS = "There are no jobs";
    NO_JOBS_TEXT = "A job is a playbook with times, such as each morning at seven. Its contract names the job. Sign one from its file:";
    ADD_JOB = "contractual job add job.toml";
    NO_DOCUMENT = "Its document is not there, so its times are unknown here.";
    ON_MESSAGES = "It runs whenever such a message comes.";
    NO_MORE_SLOTS = "It has no more times.";
    NEXT_RUNS = "Next:";
    LAST_RUNS = "Last runs:";
    NO_RUN = "It has not run yet.";
    NOT_ADMITTED = "not kept here";
    ORDERED = "ordered by you,";
    FOLLOWED = "after another job,";
    STARTED_WITH = "at the start of the deployment";
    RETRIED = "tried again,";
    TRIGGERED = "started by a message,";

    // Devices.
    DEVICES = "Devices";
    DEVICES_LEAD = "Browsers and phones that read for you, and answer questions in your place if their role says so. The key of each stays in it.";
    NO_DEVICES = "No device is paired";
    NO_DEVICES_TEXT = "A paired phone or browser reads these pages and answers questions. Pair one on the machine that runs Contractual:";
    PAIR = "contractual pair --role approver --name Phone";
    PAIR_TEXT = "To pair another one, on the machine that runs Contractual:";
    MAY_READ = "It reads, and answers nothing.";
    MAY_ANSWER = "It reads, and answers questions in your place. It signs no contract, task or secret.";
    DEVICE_SOON = "Its time ends within two weeks. Pair it again before, under another name.";
    DEVICE_EXPIRED = "Its time is over: nothing that it signs counts. Pair it again.";
    DEVICE_REVOKED = "You revoked it: nothing that it signs counts, and nothing brings it back.";
    ENDORSED = "Paired";
    UNTIL_WHEN = "Valid until";
    LAST_ANSWER = "Last answer";
    NEVER_ANSWERED = "none yet";
    KEY = "Key";
    REVOKE_DEVICE = "Revoke it";
    REVOKE_DEVICE_TEXT = "Its sessions end at once, and so does every answer of it that is not granted yet:";

    // Models.
    MODELS = "Models";
    MODELS_TEXT = "Each model is a tool of the catalogue: a contract says who may ask it, how often, and with how many tokens.";
    NO_MODELS = "There are no models";
    NO_MODELS_TEXT = "A dialogue asks a model what to do next. Each of its calls is decided by your contract. Add a model with its provider and the secret that its requests carry:";
    ADD_MODEL = "contractual model add --help";
    MODEL_ID = "Name at its provider";
    ANSWER_AT_MOST = "One answer at most";
    SECRET_OF_MODEL = "Secret";
    NO_SECRET_OF_MODEL = "none";

    // New task.
    NEW_TASK = "New task";
    NEW_TASK_TEXT = "Your own key signs each task, so it starts where that key is. Type these there; the task then appears here.";
    ASK_MODEL = "Say what you want";
    ASK_MODEL_TEXT = "In your own words. You read a draft of the narrowest contract for them, take away what is too much, and sign it; then a model works under it:";
    START = "Run a playbook";
    START_TEXT = "Typed steps without a model. The first command drafts a contract for them; you read it and sign it:";
    OWN_AGENT = "Attach your own agent";
    OWN_AGENT_TEXT = "In the folder of its work; codex, gemini and opencode work in the same way:";
    IN_FORCE = "Contracts in force";
    NO_ACTIVE = "No contract is in force";
    NO_ACTIVE_TEXT = "A task needs one. Begin with the first step above.";

    // Secrets.
    SECRETS = "Secrets";
    SECRETS_LEAD = "Passwords and keys that a tool may use without any agent reading them. No page shows a value: this service cannot open one.";
    NO_SECRETS = "There are no secrets";
    NO_SECRETS_TEXT = "A secret is sealed on your machine, for its hosts alone, and put into a request only for a call that its contract permits. Set one:";
    SET_SECRET = "contractual secret set crm --host api.example.com --inject 'header:authorization=Bearer {}' <key.txt";
    HOSTS = "Hosts";
    METHODS = "Methods";
    INJECTED = "Place in the request";
    TOKEN_FROM = "Token from";
    VALUE_FROM = "Value from";
    NO_TERMS = "Its terms were erased, or are not those that you signed.";
    RELEASED = "last released";
    NEVER_RELEASED = "never released";
    FOR_TASK = "for this task";

    // Tools.
    TOOLS = "Tools";
    TOOLS_TEXT = "The catalogue that you signed. Nothing else can be called, and an entry that changes suspends the contracts that name it.";
    NO_TOOLS = "The catalogue is empty";
    NO_TOOLS_TEXT = "A tool is a file operation, a program, a request to a host, or what an MCP server offers. Add one:";
    ADD_TOOL = "contractual tool add tool.json";
    CATALOGUE_UNREAD = "The catalogue cannot be read now. Load the page again.";
    READS = "reads";
    WRITES = "changes";
    SENDS = "sends out";
    TELLS = "tells a host";
    RISK = "risk";
    ENTRY = "The entry";
    CUT_ENTRY = "The entry is longer; contractual tool show has all of it.";

    // The record.
    AUDIT = "Audit";
    AUDIT_TEXT = "The record: every fact, signed by its author, in the order in which it was stored.";
    LOGGED = "The log of audit covers the record up to message";
    VERIFY = "To check it with your key alone:";
    NOT_LOGGED = "Audit has not put a checkpoint on the record yet. To check the record with your key alone:";
    TASK_ID = "Task (its id)";
    KIND = "Kind";
    AUTHOR = "Author";
    ALL_KINDS = "all kinds";
    ALL_AUTHORS = "all authors";
    SHOW = "Show";
    NO_FACTS = "No fact fits";
    NO_FACTS_TEXT = "No kept fact has this task, kind and author. Choose others, or leave a field empty.";

    // Settings.
    SETTINGS = "Settings";
    HALT = "Halt";
    HALT_TEXT = "One command stops everything at once, even with a full disk or a broken gateway:";
    RESUME_TEXT = "Tasks go on where they were; killed actions are not repeated by themselves. To lift the halt:";
    SERVICES = "Services";
    SERVICES_TEXT = "The last start of each. To see whether each is well now, and what to do if not:";
    STARTED = "started";
    NEVER = "never started";
}

/// The effects of a halt.
pub(crate) const HALT_DOES: [&str; 4] = [
    "Running programs are killed, and requests that are under way are broken off.",
    "Nothing is granted and nothing is claimed.",
    "Questions stay open, and jobs miss their times.",
    "Nothing is lost: the record stays, and you can resume at any time.",
];

/// The note after a text that is cut.
pub(crate) fn cut(bytes: u64) -> String {
    format!(
        "This is the beginning; the whole has {}. The command line shows it: contractual task show.",
        size(bytes)
    )
}

/// The driver of a task; none for a playbook, which most tasks have.
pub(crate) const fn kind(kind: TaskKind) -> Option<&'static str> {
    match kind {
        TaskKind::Playbook => None,
        TaskKind::Session => Some(SESSION),
        TaskKind::Dialogue => Some(DIALOGUE),
    }
}

/// The text of a task: its playbook, or the words of a person.
pub(crate) const fn text_of(kind: TaskKind) -> &'static str {
    match kind {
        TaskKind::Playbook => PLAYBOOK,
        TaskKind::Session | TaskKind::Dialogue => WISH,
    }
}

/// The note in place of bytes that are no text.
pub(crate) fn not_text(bytes: u64) -> String {
    format!("These are {} that are no text.", size(bytes))
}

/// The place in a list.
pub(crate) fn page_of(page: usize, pages: usize) -> String {
    format!("Page {page} of {pages}")
}

/// The number of people who have to say yes.
pub(crate) fn quorum(quorum: u8) -> String {
    match quorum {
        0 | 1 => "One yes is enough.".to_owned(),
        several => format!("It needs {several} yeses, each of another person."),
    }
}

/// The questions that the page has no room for.
pub(crate) fn more_questions(more: usize) -> String {
    format!("{more} more wait; the command line lists all:")
}

/// The actions that are not kept.
pub(crate) fn more_actions(more: u32) -> String {
    format!("{more} later actions are not kept here; contractual task show has them.")
}

/// The people who said yes.
pub(crate) fn approvals(number: usize) -> String {
    match number {
        1 => "after a yes".to_owned(),
        several => format!("after {several} yeses"),
    }
}

/// The messages of a task.
pub(crate) fn messages(first: u64, last: u64) -> String {
    format!("Its facts are among the messages {first} to {last} of the record.")
}

/// The end of the facts that are kept.
pub(crate) fn older_facts(kept: usize) -> String {
    format!("Only the newest {kept} facts are kept here. The command line shows all:")
}

/// The function of a service.
pub(crate) const fn service(author: AuthorId) -> &'static str {
    match author {
        AuthorId::Owner => "The person who signs.",
        AuthorId::Gateway => "Takes requests and serves these pages.",
        AuthorId::Worker => "Runs playbooks; can only propose.",
        AuthorId::Engine => "Takes the calls of agents; can only propose.",
        AuthorId::Policy => "Decides each call by your contracts.",
        AuthorId::Runner => "Runs tools on this machine, each in a sandbox.",
        AuthorId::Broker => "Keeps sealed secrets, which it cannot open.",
        AuthorId::Egress => "Sends requests to hosts; nothing else has a way out.",
        AuthorId::Scheduler => "Says when runs of jobs are due.",
        AuthorId::Audit => "Keeps the log that proves the record.",
        AuthorId::Ui => "Makes these pages; can only read.",
    }
}
