//! The known agents: their settings, and the command that makes one list its tools to a model.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::settings::{Format, Setting, SettingEdit};

/// The name of our server in an agent's settings.
pub(crate) const SERVER: &str = "contractual";
/// The key that an agent sends to the loopback model.
const NO_KEY: &str = "none";

/// An agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Agent {
    /// Claude Code.
    Claude,
    /// Codex.
    Codex,
    /// Gemini CLI.
    Gemini,
    /// opencode.
    Opencode,
}

/// The place of an agent's settings.
#[derive(Debug, Clone)]
pub(crate) struct Homes {
    /// The folder in which the agent works.
    pub(crate) project: PathBuf,
    /// The person's home.
    pub(crate) home: PathBuf,
    /// The folder of Codex, if `CODEX_HOME` names one.
    pub(crate) codex: Option<PathBuf>,
}

/// The command that starts our server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ServerCommand {
    pub(crate) program: String,
    pub(crate) arguments: Vec<String>,
}

/// A command that starts an agent once, without a person, with the loopback model.
#[derive(Debug)]
pub(crate) struct Probe {
    pub(crate) arguments: Vec<String>,
    pub(crate) env: Vec<(&'static str, String)>,
}

/// The built-in tools of Claude Code that are denied at first, also those that it has only on a terminal. A check adds
/// those that a newer version has.
const CLAUDE_BUILT_IN: &[&str] = &[
    "Agent",
    "AskUserQuestion",
    "Bash",
    "BashOutput",
    "SettingEdit",
    "EnterPlanMode",
    "ExitPlanMode",
    "Glob",
    "Grep",
    "KillShell",
    "ListMcpResourcesTool",
    "Monitor",
    "NotebookEdit",
    "Read",
    "ReadMcpResourceTool",
    "Skill",
    "Task",
    "TodoWrite",
    "WebFetch",
    "WebSearch",
    "Write",
];

/// The features of Codex that are switched off.
const CODEX_FEATURES: &[&str] = &[
    "apps",
    "goals",
    "multi_agent",
    "multi_agent_v2",
    "plugins",
    "shell_tool",
    "unified_exec",
    "view_image",
];

/// The tool of Codex that searches those of servers.
pub(crate) const SEARCH: &str = "tool_search";
/// The tools of Codex that cannot be switched off, and why none of them acts outside of the contract.
const CODEX_KEPT: &[(&str, &str)] = &[
    (
        "apply_patch",
        "changes files; the sandbox of Codex is set to read-only",
    ),
    (
        "list_mcp_resources",
        "lists resources of servers; ours has none",
    ),
    (
        "list_mcp_resource_templates",
        "lists resources of servers; ours has none",
    ),
    (
        "read_mcp_resource",
        "reads a resource of a server; ours has none",
    ),
    ("request_user_input", "asks you"),
    (SEARCH, "finds the tools of the contract"),
    ("update_plan", "writes a plan for you"),
];

impl Agent {
    /// The name that people know.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Claude => "Claude Code",
            Self::Codex => "Codex",
            Self::Gemini => "Gemini CLI",
            Self::Opencode => "opencode",
        }
    }

    /// The name of its program.
    pub(crate) const fn program(self) -> &'static str {
        match self {
            Self::Claude => "claude",
            Self::Codex => "codex",
            Self::Gemini => "gemini",
            Self::Opencode => "opencode",
        }
    }

    /// The settings that offer it our server and switch its own tools off.
    pub(crate) fn settings(self, homes: &Homes, server: &ServerCommand) -> Vec<Setting> {
        let ServerCommand { program, arguments } = server;
        let plain = json!({"command": program, "args": arguments});
        let project = |file: &str| homes.project.join(file);
        let folder = homes.project.display().to_string();
        let of_json = |file: &Path, keys: &[&str], change| Setting::json(file, keys, change);
        match self {
            Self::Claude => {
                let settings = project(".claude/settings.json");
                let denied = CLAUDE_BUILT_IN.iter().map(|name| json!(name)).collect();
                vec![
                    of_json(
                        &project(".mcp.json"),
                        &["mcpServers", SERVER],
                        SettingEdit::Set(plain),
                    ),
                    of_json(
                        &settings,
                        &["enabledMcpjsonServers"],
                        SettingEdit::Add(vec![json!(SERVER)]),
                    ),
                    of_json(
                        &settings,
                        &["permissions", "allow"],
                        SettingEdit::Add(vec![json!("mcp__contractual")]),
                    ),
                    of_json(&settings, DENIED, SettingEdit::Add(denied)),
                    // The few tools of a contract need no search.
                    of_json(
                        &settings,
                        &["env", TOOL_SEARCH],
                        SettingEdit::Set(json!("false")),
                    ),
                ]
            }
            Self::Codex => codex(homes, (program, arguments)),
            Self::Gemini => {
                let settings = project(".gemini/settings.json");
                let entry = json!({"command": program, "args": arguments, "trust": true});
                let trusted = homes.home.join(".gemini/trustedFolders.json");
                vec![
                    of_json(&settings, &["mcpServers", SERVER], SettingEdit::Set(entry)),
                    of_json(
                        &settings,
                        &["tools", "core"],
                        SettingEdit::Set(json!(["mcp_contractual_*"])),
                    ),
                    of_json(
                        &trusted,
                        &[folder.as_str()],
                        SettingEdit::Set(json!("TRUST_FOLDER")),
                    ),
                ]
            }
            Self::Opencode => {
                let settings = project("opencode.json");
                let command: Vec<_> = std::iter::once(program).chain(arguments).collect();
                let entry = json!({"type": "local", "command": command, "enabled": true});
                let permission = json!({"*": "deny", "contractual_*": "allow"});
                vec![
                    of_json(&settings, &["mcp", SERVER], SettingEdit::Set(entry)),
                    of_json(&settings, &["permission"], SettingEdit::Set(permission)),
                ]
            }
        }
    }

    /// The setting that switches further tools off, if the agent has one for single tools.
    pub(crate) fn deny(self, homes: &Homes, tools: &[String]) -> Option<Setting> {
        let denied = tools.iter().map(|name| json!(name)).collect();
        let settings = homes.project.join(".claude/settings.json");
        (self == Self::Claude).then(|| Setting::json(&settings, DENIED, SettingEdit::Add(denied)))
    }

    /// Returns true if the agent knows a tool of ours by this name.
    pub(crate) fn is_ours(self, tool: &str) -> bool {
        let prefix = match self {
            Self::Claude | Self::Codex => "mcp__contractual",
            Self::Gemini => "mcp_contractual_",
            Self::Opencode => "contractual_",
        };
        tool.starts_with(prefix)
    }

    /// The reason for which a tool of its own may stay on.
    pub(crate) fn may_stay(self, tool: &str) -> Option<&'static str> {
        let kept = match self {
            Self::Codex => CODEX_KEPT,
            Self::Claude | Self::Gemini | Self::Opencode => &[],
        };
        let kept = kept.iter().find(|(name, _)| *name == tool);
        kept.map(|(_, why)| *why)
    }

    /// A remark for the person: what the agent still asks, or needs.
    pub(crate) const fn remark(self) -> Option<&'static str> {
        match self {
            Self::Claude => Some(
                "Claude Code asks once whether you trust the folder; without a terminal, start it with \
                 --allowedTools mcp__contractual",
            ),
            Self::Codex | Self::Gemini | Self::Opencode => None,
        }
    }

    /// The command that makes it send its tools to a model at this address.
    pub(crate) fn probe(self, url: &str, scratch: &Path) -> Probe {
        let word = "Say hello.".to_owned();
        let key = || NO_KEY.to_owned();
        let (arguments, env) = match self {
            Self::Claude => (
                vec!["-p".to_owned(), word],
                vec![
                    ("ANTHROPIC_BASE_URL", url.to_owned()),
                    ("ANTHROPIC_API_KEY", key()),
                    ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1".to_owned()),
                    (TOOL_SEARCH, "false".to_owned()),
                ],
            ),
            Self::Codex => {
                let provider = format!(
                    "model_providers.check={{name=\"check\",base_url=\"{url}/v1\",wire_api=\"responses\"}}"
                );
                let settings = [
                    &provider,
                    "model_provider=\"check\"",
                    "model=\"gpt-5.5\"",
                    // It must not retry at a model that only listens.
                    "model_providers.check.request_max_retries=0",
                    "model_providers.check.stream_max_retries=0",
                ];
                let settings = settings.map(|setting| ["-c".to_owned(), setting.to_owned()]);
                let exec = ["exec".to_owned(), "--skip-git-repo-check".to_owned()];
                let words = exec.into_iter().chain(settings.into_iter().flatten());
                (words.chain([word]).collect(), Vec::new())
            }
            Self::Gemini => (
                vec!["-p".to_owned(), word],
                vec![
                    ("GOOGLE_GENAI_USE_VERTEXAI", "true".to_owned()),
                    ("GOOGLE_VERTEX_BASE_URL", url.to_owned()),
                    ("GOOGLE_API_KEY", key()),
                    (
                        "GEMINI_CLI_SYSTEM_SETTINGS_PATH",
                        scratch.join("gemini.json").display().to_string(),
                    ),
                ],
            ),
            Self::Opencode => {
                let model = json!({
                    "model": "check/check", "small_model": "check/check",
                    "provider": {"check": {
                        "npm": "@ai-sdk/openai-compatible",
                        "options": {"baseURL": format!("{url}/v1"), "apiKey": NO_KEY},
                        "models": {"check": {"tool_call": true}},
                    }},
                });
                (
                    vec!["run".to_owned(), word],
                    vec![("OPENCODE_CONFIG_CONTENT", model.to_string())],
                )
            }
        };
        Probe { arguments, env }
    }

    /// Files that a probe needs in its scratch folder: name and text.
    pub(crate) const fn scratch_files(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Gemini => &[(
                "gemini.json",
                r#"{"security":{"auth":{"selectedType":"vertex-ai"}}}"#,
            )],
            Self::Claude | Self::Codex | Self::Opencode => &[],
        }
    }
}

/// The variable by which Claude Code lists all tools at once, or behind a search.
const TOOL_SEARCH: &str = "ENABLE_TOOL_SEARCH";
/// The keys of the tools that Claude Code denies.
const DENIED: &[&str] = &["permissions", "deny"];

fn codex(homes: &Homes, (program, arguments): (&String, &Vec<String>)) -> Vec<Setting> {
    let project = homes.project.join(".codex/config.toml");
    let mut own = homes.codex.clone();
    let own = own.get_or_insert_with(|| homes.home.join(".codex"));
    let folder = homes.project.display().to_string();
    let entry = json!({
        "command": program, "args": arguments,
        // Contractual decides each call; a second question would only be in the way.
        "default_tools_approval_mode": "approve",
    });
    let set = |keys: &[&str], value: Value| Setting {
        file: project.clone(),
        format: Format::Toml,
        keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        change: SettingEdit::Set(value),
    };
    let mut all = vec![
        set(&["mcp_servers", SERVER], entry),
        set(&["sandbox_mode"], json!("read-only")),
        set(&["web_search"], json!("disabled")),
    ];
    let off = |feature: &&str| set(&["features", feature], json!(false));
    all.extend(CODEX_FEATURES.iter().map(off));
    // Codex reads the settings of a folder only if the person trusts it.
    all.push(Setting {
        file: own.join("config.toml"),
        format: Format::Toml,
        keys: ["projects", &folder, "trust_level"]
            .map(str::to_owned)
            .to_vec(),
        change: SettingEdit::Set(json!("trusted")),
    });
    all
}
