//! A file of `manifests/`: what its first comments ask for, and the kubectl that does it.

use std::fmt;
use std::path::{Path, PathBuf};

use super::plane::Plane;
use super::process::Ran;

/// `manifests/`, or something in it.
pub fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cluster/manifests").join(name)
}

/// One manifest. Its first lines say `# verb: …`, and where needed `# from: …`, the pool of `start/` that is there
/// before, and `# as: …`, the user.
pub struct Manifest {
    /// The name of its file, which is that of the namespace it is tried in.
    pub name: String,
    /// How it gets to the apiserver.
    pub verb: String,
    file: String,
    text: String,
    user: Option<String>,
    start: Option<String>,
}

impl Manifest {
    /// All manifests of `bad` or `good`, sorted.
    pub fn all(kind: &str) -> Vec<Self> {
        let files = std::fs::read_dir(folder(kind)).unwrap().map(|entry| entry.unwrap().file_name());
        let files = files.map(|name| name.into_string().unwrap());
        let mut names: Vec<_> =
            files.filter_map(|name| name.strip_suffix(".yaml").map(str::to_owned)).collect();
        names.retain(|name| !name.ends_with(".stored"));
        names.sort();
        names.into_iter().map(|name| Self::read(kind, name)).collect()
    }

    fn read(kind: &str, name: String) -> Self {
        let file = format!("{kind}/{name}.yaml");
        let text = std::fs::read_to_string(folder(&file)).unwrap();
        let said = |what: &str| {
            let mut lines = text.lines().take_while(|line| line.starts_with('#'));
            lines.find_map(|line| line.strip_prefix(&format!("# {what}: "))).map(str::to_owned)
        };
        let verb = said("verb").unwrap_or_else(|| panic!("{file} does not begin with `# verb: …`"));
        let (user, start) = (said("as"), said("from"));
        Self { name, verb, file, user, start, text }
    }

    /// The pool that is there before, as a manifest for `namespace`.
    pub fn start(&self, namespace: &str) -> Option<String> {
        let start = self.start.as_ref()?;
        let text = std::fs::read_to_string(folder(&format!("start/{start}.yaml"))).unwrap();
        Some(text.replace("metadata:\n", &format!("metadata:\n  namespace: {namespace}\n")))
    }

    /// The name of the pool it is about.
    pub fn pool(&self) -> String {
        let start = self.start("any");
        let text = start.as_ref().unwrap_or(&self.text);
        text.lines().find_map(|line| line.strip_prefix("  name: ")).unwrap().to_owned()
    }

    /// Tries it in `namespace`.
    pub fn run(&self, plane: &Plane, namespace: &str) -> Printed {
        let file = plane.scratch.join(&self.file);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, &self.text).unwrap();
        let shown = plane.scratch.join(format!("{namespace}.shown"));
        let _ = std::fs::remove_file(&shown);
        let (editor, path) = (folder("editor"), |path: &Path| path.to_str().unwrap().to_owned());
        let environment =
            [("KUBE_EDITOR", path(&editor)), ("MANIFEST", path(&file)), ("SHOWN", path(&shown))];
        let environment = environment.each_ref().map(|(name, value)| (*name, value.as_str()));
        let command = self.command();
        let mut arguments: Vec<_> = command.iter().map(String::as_str).collect();
        arguments.extend(["-n", namespace]);
        let ran = plane.kubectl_with(&arguments, "", &environment);
        let shown = std::fs::read_to_string(&shown).ok();
        Printed::of(&command, ran, shown, &path(&plane.scratch.join("tmp")))
    }

    fn command(&self) -> Vec<String> {
        let (file, pool) = (self.file.as_str(), self.pool());
        let arguments = match self.verb.as_str() {
            "create" => vec!["create", "-f", file],
            "strict" => vec!["create", "--validate=strict", "-f", file],
            "dry-run" => vec!["create", "--dry-run=server", "-f", file],
            "apply" => vec!["apply", "-f", file],
            "apply-server-side" => vec!["apply", "--server-side", "-f", file],
            "replace" => vec!["replace", "-f", file],
            "patch-json" => vec!["patch", "ippool", &pool, "--type=json", "--patch-file", file],
            "patch-merge" => vec!["patch", "ippool", &pool, "--type=merge", "--patch-file", file],
            "edit" => vec!["edit", "ippool", &pool],
            verb => panic!("{file}: no verb is called {verb}"),
        };
        let user = self.user.iter().map(|user| format!("--as={user}"));
        arguments.into_iter().map(str::to_owned).chain(user).collect()
    }
}

/// All that a person sees of one kubectl.
#[derive(PartialEq, Eq)]
pub struct Printed {
    command: String,
    editor: Option<String>,
    stdout: String,
    stderr: String,
    code: i32,
}

impl Printed {
    fn of(command: &[String], ran: Ran, editor: Option<String>, temporary: &str) -> Self {
        let stderr = unnumbered(&ran.stderr.replace(temporary, "/tmp"));
        Self { command: command.join(" "), editor, stdout: ran.stdout, stderr, code: ran.code }
    }

    /// Whether the apiserver took it.
    pub fn accepted(&self) -> bool {
        self.code == 0
    }

    /// The line of a refusal, without the words before the reason.
    pub fn refusal(&self) -> &str {
        let line = self.stderr.lines().next().unwrap_or_default();
        let reason = [" is invalid: ", " decoding error: "].iter().find_map(|words| line.split_once(words));
        reason.map_or(line, |(_, reason)| reason)
    }

    /// The lines in which a rule speaks, in the order they were printed: refusals first, then warnings.
    pub fn findings(&self) -> Vec<&str> {
        let editor = self.editor.iter().flat_map(|shown| shown.lines());
        let (warnings, refusals): (Vec<_>, Vec<_>) = editor
            .chain(self.stderr.lines())
            .filter(|line| line.contains("[IPP") || line.contains("left out here"))
            .partition(|line| line.starts_with("Warning: "));
        refusals.into_iter().map(alone).chain(warnings).collect()
    }
}

/// The finding alone, without the list it stands in or the words of the apiserver before it.
fn alone(line: &str) -> &str {
    let line = line.split_once(" is invalid: ").map_or(line, |(_, finding)| finding);
    line.trim_start_matches(['#', '*', ' '])
}

/// The name of the copy that `kubectl edit` leaves behind is the one thing it prints at random.
fn unnumbered(text: &str) -> String {
    let Some((before, after)) = text.split_once("kubectl-edit-") else { return text.to_owned() };
    format!("{before}kubectl-edit-0{}", after.trim_start_matches(|it: char| it.is_ascii_digit()))
}

impl fmt::Display for Printed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "$ kubectl {}", self.command)?;
        if let Some(editor) = &self.editor {
            write!(f, "[above the pool in the editor]\n{editor}")?;
        }
        write!(f, "[stdout]\n{}[stderr]\n{}[exit code]\n{}\n", self.stdout, self.stderr, self.code)
    }
}
