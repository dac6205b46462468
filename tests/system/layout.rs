//! The layout of the source: allowed imports, no cycle of files, and a deployment for every service.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use bus_schema::ACTORS;
use regex::Regex;

/// The crates that may use a service as a library: the command line, the tests and the benchmarks.
const MAY_IMPORT_SERVICES: [&str; 3] = ["benches", "contractual", "harness"];
/// Crates that a library must not depend on.
const NOT_IN: [(&str, &[&str]); 2] = [
    ("contract", &["actor", "async-nats", "tokio"]),
    ("diagnostic", &["actor", "bus-schema", "tokio"]),
];

/// The place of a module in its crate; empty for the root.
type Module = Vec<String>;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The folders of the workspace's crates.
fn crates() -> Vec<PathBuf> {
    let services = fs::read_dir(root().join("services")).unwrap();
    let mut found: Vec<_> = services.map(|entry| entry.unwrap().path()).collect();
    found
        .extend(["benches", "bus-schema", "deploy/tap", "tests"].map(|folder| root().join(folder)));
    found.sort();
    found
}

/// The name of a crate, and the crates that it depends on, in tests included.
fn manifest(folder: &Path) -> (String, BTreeSet<String>) {
    let text = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    let table: toml::Table = toml::from_str(&text).unwrap();
    let name = table["package"]["name"].as_str().unwrap().to_owned();
    let groups = ["dependencies", "dev-dependencies"];
    let tables = groups
        .iter()
        .filter_map(|group| table.get(*group)?.as_table());
    let names = tables.flat_map(|table| table.keys().cloned());
    let depends = names.filter(|other| *other != name).collect();
    (name, depends)
}

#[test]
fn nothing_but_the_command_line_and_tests_imports_a_service() {
    let services: BTreeSet<_> = ACTORS
        .iter()
        .map(|author| author.name().to_owned())
        .collect();
    let mut wrong = Vec::new();
    for folder in crates() {
        let (name, depends) = manifest(&folder);
        let imported: Vec<_> = depends.intersection(&services).collect();
        if !imported.is_empty() && !MAY_IMPORT_SERVICES.contains(&name.as_str()) {
            wrong.push(format!("{name} imports {imported:?}"));
        }
        let forbidden = NOT_IN.iter().filter(|(library, _)| *library == name);
        let mut forbidden = forbidden.flat_map(|(_, others)| others.iter());
        wrong.extend(
            forbidden
                .by_ref()
                .filter(|other| depends.contains(**other))
                .map(|other| format!("{name} imports {other}")),
        );
        let is_service = services.contains(&name);
        let has_main = folder.join("src/main.rs").exists();
        if is_service && !has_main {
            wrong.push(format!("{name} has no src/main.rs"));
        }
        let readme = fs::read_to_string(folder.join("README.md")).unwrap_or_default();
        let in_services = folder
            .parent()
            .is_some_and(|parent| parent.ends_with("services"));
        if in_services && !has_main && !readme.contains("\n\nNot a service: ") {
            wrong.push(format!(
                "the README of {name} does not begin with `Not a service: `"
            ));
        }
    }
    assert_eq!(wrong, [""; 0]);
}

/// Every module file of a crate with its text, without comments, texts and inline modules.
fn modules(source: &Path) -> BTreeMap<Module, String> {
    let strip = [
        r##"(?s)r#+".*?"#+"##,
        r"(?m)//.*$",
        r#"(?s)"(?:\\.|[^"\\])*""#,
        r"(?ms)^(?:#\[cfg\(test\)\]\n)?(?:pub(?:\([^)]*\))? )?mod \w+ \{.*?^\}$",
    ];
    let strip = strip.map(|pattern| Regex::new(pattern).unwrap());
    let mut found = BTreeMap::new();
    let mut folders = vec![source.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let inside = path.strip_prefix(source).unwrap().with_extension("");
            let mut module: Module = (inside.iter())
                .map(|part| part.to_str().unwrap().to_owned())
                .collect();
            let has_library = source.join("lib.rs").exists();
            match module.as_slice() {
                [name] if name == "lib" || (name == "main" && !has_library) => module.clear(),
                [name] if name == "main" => continue,
                _ => {}
            }
            let text = fs::read_to_string(&path).unwrap();
            let text = strip.iter().fold(text, |text, pattern| {
                pattern.replace_all(&text, "").into_owned()
            });
            found.insert(module, text);
        }
    }
    found
}

/// The paths of a tree such as `a::{b, c::d as e}`.
fn paths(tree: &str) -> Vec<String> {
    let Some((before, rest)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap_or_default().trim();
        return vec![path.to_owned()];
    };
    let inner = &rest[..rest.rfind('}').unwrap_or(rest.len())];
    let (mut depth, mut part, mut parts) = (0, String::new(), Vec::new());
    for c in inner.chars().chain([',']) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if c == ',' && depth == 0 {
            parts.push(std::mem::take(&mut part));
        } else {
            part.push(c);
        }
    }
    let parts = parts.iter().filter(|part| !part.trim().is_empty());
    parts
        .flat_map(|part| paths(part))
        .map(|path| format!("{}{path}", before.trim()))
        .collect()
}

/// The imports of a crate's files: from each module to the modules that define the names that it uses. A re-export is
/// no import; a name through one counts as an import of the file behind it.
struct Imports<'m> {
    modules: &'m BTreeMap<Module, String>,
    reexports: BTreeMap<Module, Module>,
}

impl Imports<'_> {
    /// A path from the root of the crate; none if it leaves the crate.
    fn absolute(&self, of: &Module, path: &str) -> Option<Module> {
        let parts: Vec<&str> = path.split("::").map(str::trim).collect();
        let (mut base, mut rest) = (of.clone(), parts.as_slice());
        match *rest.first()? {
            "crate" => (base, rest) = (Vec::new(), &rest[1..]),
            "self" => rest = &rest[1..],
            "super" => {
                while rest.first() == Some(&"super") {
                    base.pop();
                    rest = &rest[1..];
                }
            }
            first => {
                let child = [of.as_slice(), &[first.to_owned()]].concat();
                self.modules.get(&child)?;
            }
        }
        base.extend(
            rest.iter()
                .filter(|part| **part != "self")
                .map(|part| (*part).to_owned()),
        );
        Some(base)
    }

    /// The file that defines the item of a path.
    fn file(&self, path: &[String], depth: usize) -> Option<Module> {
        let known = (0..=path.len())
            .rev()
            .find(|end| self.modules.contains_key(&path[..*end]))?;
        let named = &path[..path.len().min(known + 1)];
        match self.reexports.get(named) {
            Some(behind) if depth < 8 => {
                let whole = [behind.as_slice(), &path[named.len()..]].concat();
                self.file(&whole, depth + 1)
            }
            _ => Some(path[..known].to_vec()),
        }
    }
}

fn imports(modules: &BTreeMap<Module, String>) -> BTreeMap<Module, BTreeSet<Module>> {
    let used = Regex::new(r"(?m)^[ \t]*(pub(?:\([^)]*\))? )?use ([^;]*);").unwrap();
    let inline = Regex::new(r"\b((?:crate|super|self)(?:::\w+)+)").unwrap();
    let child = Regex::new(r"(?:^|[^\w:.])(\w+)::(\w+)").unwrap();
    let mut all = Imports {
        modules,
        reexports: BTreeMap::new(),
    };
    let mut named: Vec<(Module, Module)> = Vec::new();
    for (module, text) in modules {
        for found in used.captures_iter(text) {
            for path in paths(&found[2]) {
                let Some(absolute) = all.absolute(module, &path) else {
                    continue;
                };
                if found.get(1).is_some() {
                    let name = absolute.last().cloned();
                    let place = [module.clone(), name.into_iter().collect()].concat();
                    all.reexports.insert(place, absolute);
                } else {
                    named.push((module.clone(), absolute));
                }
            }
        }
        let rest = used.replace_all(text, "");
        let direct = inline.captures_iter(&rest).map(|found| found[1].to_owned());
        let is_name = |name: &str| !["crate", "super", "self"].contains(&name);
        let below = (child.captures_iter(&rest))
            .filter(|found| is_name(&found[1]))
            .map(|found| format!("{}::{}", &found[1], &found[2]));
        for path in direct.chain(below) {
            named.extend(
                all.absolute(module, &path)
                    .map(|path| (module.clone(), path)),
            );
        }
    }
    let mut edges: BTreeMap<Module, BTreeSet<Module>> = BTreeMap::new();
    for (module, path) in named {
        let to = all.file(&path, 0).filter(|to| *to != module);
        edges.entry(module).or_default().extend(to);
    }
    edges
}

/// A cycle, as the files on it in order; none if there is none.
fn circle(edges: &BTreeMap<Module, BTreeSet<Module>>) -> Option<Vec<Module>> {
    fn visit<'e>(
        at: &'e Module,
        edges: &'e BTreeMap<Module, BTreeSet<Module>>,
        way: &mut Vec<&'e Module>,
        done: &mut BTreeSet<&'e Module>,
    ) -> Option<Vec<Module>> {
        if let Some(begin) = way.iter().position(|one| *one == at) {
            return Some(way[begin..].iter().map(|one| (*one).clone()).collect());
        }
        if !done.insert(at) {
            return None;
        }
        way.push(at);
        let found = edges.get(at).into_iter().flatten();
        let found = found.into_iter().find_map(|to| visit(to, edges, way, done));
        way.pop();
        found
    }
    let mut done = BTreeSet::new();
    edges
        .keys()
        .find_map(|from| visit(from, edges, &mut Vec::new(), &mut done))
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let mut wrong = Vec::new();
    let mut files = 0;
    for folder in crates() {
        let modules = modules(&folder.join("src"));
        files += modules.len();
        if let Some(circle) = circle(&imports(&modules)) {
            let names = circle.iter().map(|module| module.join("/"));
            wrong.push(format!(
                "{}: {:?}",
                folder.display(),
                names.collect::<Vec<_>>()
            ));
        }
    }
    assert!(files > 200, "only {files} files were found");
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn a_circle_is_found_through_a_re_export() {
    let text = |module: &str, text: &str| {
        let module: Module = module
            .split('/')
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect();
        (module, text.to_owned())
    };
    let mut modules = BTreeMap::from([
        text("", "mod a;\nmod b;\npub use a::A;\n"),
        text("a", "use crate::b::B;\n"),
        text("b", "mod c;\nuse std::fmt;\n"),
        text("b/c", "fn f() -> super::B {}\n"),
    ]);
    assert_eq!(circle(&imports(&modules)), None);
    let b = vec!["b".to_owned()];
    modules.insert(b.clone(), "mod c;\nuse crate::A;\n".to_owned());
    assert_eq!(
        circle(&imports(&modules)),
        Some(vec![vec!["a".to_owned()], b.clone()])
    );
    modules.insert(b, "mod c;\nfn g() { c::f() }\n".to_owned());
    assert_eq!(circle(&imports(&modules)).map(|found| found.len()), Some(2));
}

#[test]
fn every_service_is_deployed_as_its_row_says() {
    let dockerfile = read("deploy/Dockerfile");
    let compose = read("deploy/docker-compose.yml");
    let mut uids = BTreeSet::new();
    let mut wrong = Vec::new();
    for author in ACTORS {
        let (name, uid) = (author.name(), author.uid());
        let mut holds = |text: &str, what: String, place: &str| {
            if !text.contains(&what) {
                wrong.push(format!("{place} lacks {what:?}"));
            }
        };
        let place = "deploy/Dockerfile";
        for what in [
            format!("--package {name}"),
            format!("FROM scratch AS {name}\n"),
            format!("COPY --from=build /out/{name}/ /\n"),
            format!(
                "USER {uid}:{uid}\nENTRYPOINT [\"/app/{name}\", \"--config\", \"/contractual/{name}/config.toml\"]"
            ),
        ] {
            holds(&dockerfile, what, place);
        }
        let loops = dockerfile
            .lines()
            .filter(|line| line.contains("for actor in ") || line.contains("for program in "));
        for line in loops {
            holds(line, format!(" {name}"), place);
        }
        let place = "deploy/docker-compose.yml";
        let service = compose
            .split(&format!("\n  {name}:\n"))
            .nth(1)
            .unwrap_or_default();
        let service = service.split("\n\n").next().unwrap_or_default();
        for what in [
            format!("target: {name}"),
            format!("user: \"{uid}:{uid}\""),
            format!("seccomp=./seccomp/{name}.json"),
            format!(
                "source: \"${{CONTRACTUAL_DIR}}/{name}\", target: /contractual/{name}, read_only: true"
            ),
            format!("bus-{name}"),
        ] {
            holds(service, what, place);
        }
        for volume in author.volumes() {
            let folder = format!("{name}/{volume}");
            let what = format!(
                "source: \"${{CONTRACTUAL_DIR}}/{folder}\", target: /contractual/{folder}, bind"
            );
            holds(service, what, place);
        }
        let server = compose.split("\n  nats:\n").nth(1).unwrap_or_default();
        let server = server.split("\n\n").next().unwrap_or_default();
        holds(server, format!("bus-{name}"), place);
        holds(&compose, format!("\n  bus-{name}: {{<<: *star"), place);
        let profile = root().join(format!("deploy/seccomp/{name}.json"));
        if !profile.exists() {
            wrong.push(format!("deploy/seccomp/derive has not written {name}.json"));
        }
        uids.insert(uid);
    }
    assert_eq!(uids.len(), ACTORS.len(), "two services share a user id");
    assert_eq!(wrong, [""; 0]);
}
