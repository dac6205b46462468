//! A record with something on every page, in which every text that anybody can write is given.

use bus_schema::{
    ActionFinished, ActionGranted, ActionOutcome, ActionProposed, ActionRefused, ActionStarted,
    ApprovalRequested, Asked, Author as _, AuthorId, CatalogueSigned, Content, ContractActivated,
    ContractSigned, ContractSuspended, Counts, Deployment, DraftGrant, Envelope, Gateway, Grant,
    JobSigned, Owner, Pins, Policy, RefusalCode, RunCause, RunDue, Runner, Scheduler, Statement,
    TaskAdmitted, TaskFinished, TaskId, TaskOutcome, TaskRejected, TaskStatement, TaskSubmitted,
    Time, Usage, Worker, json,
};
use serde_json::json;

use crate::world::{World, action, deployment, digest, signed, task};

const CONTRACT: &str = r#"
contract = "filing"
version = 1
purpose = PURPOSE
owner = PURPOSE
expires = 2036-12-31

[[allow]]
name = "read"
tool = "file.read"

[[ask]]
name = "write"
tool = "file.write"
reason = "A file is written."
"#;

/// The record.
pub(crate) struct Story {
    pub(crate) world: World,
    text: String,
}

impl Story {
    /// A record in which every text contains `text`.
    pub(crate) fn of(text: &str) -> Self {
        let mut story = Self {
            world: World::new(),
            text: text.to_owned(),
        };
        story.catalogue();
        story.contract();
        story.job();
        story.question(task(1));
        story.ended(task(2));
        story.rejected(task(3));
        story
    }

    /// The addresses of all its pages.
    pub(crate) fn addresses() -> Vec<String> {
        let mut all: Vec<String> = [
            "/",
            "/tasks",
            "/contracts",
            "/contracts/filing",
            "/contracts/bad",
            "/jobs",
            "/secrets",
            "/tools",
            "/models",
            "/devices",
            "/new",
            "/audit",
            "/settings",
        ]
        .map(str::to_owned)
        .into();
        all.extend((1..=3).map(|n| format!("/tasks/{}", task(n))));
        all
    }

    fn catalogue(&mut self) {
        let tool = |name: &str, effect: &str| {
            json!({
                "name": name, "description": self.text, "effect": effect, "output": "untrusted",
                "input_schema": {"type": "object", "properties": {"path": {"type": "string", "description": self.text}, "text": {"type": "string"}}},
            })
        };
        let tools = json!([tool("file.read", "read"), tool("file.write", "write")]);
        let bytes = json::canonical(&tools);
        let document = self.world.log.put(AuthorId::Owner, &bytes);
        let version = 1;
        let fact = CatalogueSigned { version, document };
        self.world.say::<Owner, _>(Deployment, fact);
    }

    fn contract(&mut self) {
        let purpose = toml::Value::from(self.text.as_str()).to_string();
        let text = CONTRACT.replace("PURPOSE", &purpose);
        self.sign("filing", &text);
        let fact = ContractActivated {
            contract: digest(&text),
            name: "filing".parse().unwrap(),
            supersedes: None,
        };
        self.world.say::<Policy, _>(Deployment, fact);
        // One that is no contract at all, and is suspended for a reason.
        let bad = format!("contract = \"bad\"\n{}", self.text);
        self.sign("bad", &bad);
        let contract = digest(&bad);
        let name = "bad".parse().unwrap();
        let supersedes = None;
        let fact = ContractActivated {
            contract,
            name,
            supersedes,
        };
        self.world.say::<Policy, _>(Deployment, fact);
        let why = Some(self.put(AuthorId::Policy));
        let fact = ContractSuspended { contract, why };
        self.world.say::<Policy, _>(Deployment, fact);
    }

    fn sign(&mut self, name: &str, text: &str) {
        let document = self.world.put(AuthorId::Owner, text);
        let tools = self.world.put(AuthorId::Owner, "[]");
        let fact = ContractSigned {
            contract: digest(text),
            name: name.parse().unwrap(),
            version: 1,
            document,
            pins: Pins {
                language: 1,
                policy: "0.1.0".parse().unwrap(),
                catalogue: digest("catalogue"),
                tools,
            },
            envelope: Envelope {
                expires: "2036-12-31T23:59:59Z".parse().unwrap(),
                tools: Vec::new(),
                wall_ms_max: 1_000,
                output_bytes_max: 1_000,
                hosts: Vec::new(),
                networks: Vec::new(),
                secrets: Vec::new(),
                approvers: Vec::new(),
                folders: Default::default(),
            },
        };
        self.world.say::<Owner, _>(Deployment, fact);
    }

    fn job(&mut self) {
        let purpose = toml::Value::from(self.text.as_str());
        let text = format!(
            "job = \"daily\"\npurpose = {purpose}\ncontract = \"filing\"\nplaybook = \"p.toml\"\n\n[when]\nevery = \"1h\"\n"
        );
        let (document, playbook) = (
            self.world.put(AuthorId::Owner, &text),
            self.put(AuthorId::Owner),
        );
        let fact = JobSigned {
            job: "daily".parse().unwrap(),
            version: 1,
            contract: digest("filing"),
            document,
            playbook,
            slots: None,
        };
        self.world.say::<Owner, _>(Deployment, fact);
        let fact = RunDue {
            job: "daily".parse().unwrap(),
            version: 1,
            cause: RunCause::Slot(self.world.log.now),
            messages: Vec::new(),
        };
        self.world.say::<Scheduler, _>(Deployment, fact);
    }

    /// Stores the text as a content.
    fn put(&mut self, by: AuthorId) -> Content {
        let text = self.text.clone();
        self.world.put(by, &text)
    }

    fn admitted(&mut self, of: TaskId) {
        let purpose = toml::Value::from(self.text.as_str());
        let text = format!("playbook = \"p\"\npurpose = {purpose}\n# {}", self.text);
        let playbook = self.world.put(AuthorId::Gateway, &text);
        self.submitted(of, playbook);
        let fact = TaskAdmitted {
            dialogue: None,
            contract: self.filing(),
            playbook,
            slots: None,
            session: None,
            job: None,
            of_message: false,
        };
        self.world.say::<Policy, _>(of, fact);
    }

    fn filing(&self) -> bus_schema::Digest {
        let purpose = toml::Value::from(self.text.as_str()).to_string();
        digest(&CONTRACT.replace("PURPOSE", &purpose))
    }

    fn submitted(&mut self, of: TaskId, playbook: Content) {
        let statement = signed(&Statement::Task(TaskStatement {
            dialogue: None,
            deployment: deployment(),
            task: of,
            contract: self.filing(),
            playbook,
            slots: None,
            session: None,
            at: Time::default(),
        }));
        let slots = None;
        let fact = TaskSubmitted {
            dialogue: None,
            statement,
            playbook,
            slots,
        };
        self.world.say::<Gateway, _>(of, fact);
    }

    fn proposed(&mut self, of: TaskId, n: u128, tool: &str) -> Content {
        let mut args = serde_json::Map::new();
        args.insert(self.text.clone(), json!([self.text, {"a": self.text}]));
        args.insert("path".to_owned(), json!(self.text));
        args.insert("text".to_owned(), json!(format!("one\ntwo {}", self.text)));
        let args = json::canonical(&args.into());
        let args = self.world.log.put(Worker::ID, &args);
        let fact = ActionProposed {
            action: action(n),
            step: "write".parse().unwrap(),
            index: 0,
            item: 0,
            items: 1,
            attempt: 1,
            tool: tool.parse().unwrap(),
            args,
        };
        self.world.say::<Worker, _>(of, fact);
        args
    }

    pub(crate) fn draft(&self, of: TaskId, n: u128, args: Content) -> DraftGrant {
        DraftGrant {
            deployment: deployment(),
            task: of,
            action: action(n),
            contract: self.filing(),
            rule: "write".parse().unwrap(),
            tool: "file.write".parse().unwrap(),
            tool_digest: digest("tool"),
            args,
            args_by: AuthorId::Worker,
            audience: AuthorId::Runner,
            ttl_ms: 30_000,
            wall_ms: 60_000,
            output_bytes_max: 65_536,
            secrets: Vec::new(),
            counts: Counts::default(),
            determined: false,
            asked: None,
        }
    }

    /// A task that asks.
    fn question(&mut self, of: TaskId) {
        self.admitted(of);
        let args = self.proposed(of, 1, "file.write");
        let mut draft = self.draft(of, 1, args);
        draft.asked = Some(Asked {
            approvers: Vec::new(),
            quorum: 1,
            until: self.world.log.now.plus_ms(900_000),
            escalation: None,
            attended: true,
            verified: false,
        });
        let reason = Some(self.put(AuthorId::Policy));
        let fact = ApprovalRequested { draft, reason };
        self.world.say::<Policy, _>(of, fact);
    }

    /// A task with an action that succeeded and one that was refused.
    fn ended(&mut self, of: TaskId) {
        self.admitted(of);
        let args = self.proposed(of, 2, "file.write");
        let draft = self.draft(of, 2, args);
        let grant = Grant {
            draft,
            approvals: Vec::new(),
        };
        self.world.say::<Policy, _>(of, ActionGranted { grant });
        let started = ActionStarted { action: action(2) };
        self.world.say::<Runner, _>(of, started);
        let output = self.put(AuthorId::Runner);
        let fact = ActionFinished {
            action: action(2),
            outcome: ActionOutcome::Succeeded,
            usage: Usage {
                wall_ms: 1_234,
                output_bytes: output.len(),
                ..Usage::default()
            },
            output,
            sent: None,
        };
        self.world.say::<Runner, _>(of, fact);
        self.proposed(of, 3, "file.delete");
        let why = json!({"why": self.text, "fix": format!("[[allow]]\n{}", self.text)});
        let why = Some(self.world.put(AuthorId::Policy, &why.to_string()));
        let fact = ActionRefused {
            action: action(3),
            rule: "not-allowed".parse().unwrap(),
            code: RefusalCode::NotAllowed,
            why,
        };
        self.world.say::<Policy, _>(of, fact);
        let detail = json!({"step": self.text, "reason": self.text});
        let detail = Some(self.world.put(AuthorId::Worker, &detail.to_string()));
        let outcome = TaskOutcome::Failed;
        let fact = TaskFinished { outcome, detail };
        self.world.say::<Worker, _>(of, fact);
    }

    fn rejected(&mut self, of: TaskId) {
        let playbook = self.put(AuthorId::Gateway);
        self.submitted(of, playbook);
        let why = Some(self.put(AuthorId::Policy));
        let code = RefusalCode::Slots;
        self.world.say::<Policy, _>(of, TaskRejected { code, why });
    }
}
