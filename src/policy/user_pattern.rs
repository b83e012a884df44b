//! Patterns of user names, as the list of trusted writers has them.

use std::fmt;

/// What begins the user name of every service account; its namespace and its name follow.
const SERVICE_ACCOUNT: &str = "system:serviceaccount:";

/// A pattern of user names. `*` is any text without a colon, and where it is all there is between two colons it is
/// not empty: so it never reaches from the namespace of a service account into its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserPattern(Box<str>);

impl UserPattern {
    /// The pattern written as `text`.
    ///
    /// # Errors
    /// Where it is empty, or so wide that it would trust everyone; the message says what to name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let pattern = Self(text.into());
        match pattern.breadth() {
            None => Ok(pattern),
            Some(whom) => Err(format!(
                "trustedWriters: {text:?} would trust {whom}; name a service account, or its namespace"
            )),
        }
    }

    /// A pattern that is known to be narrow enough.
    pub(super) fn known(text: &str) -> Self {
        Self(text.into())
    }

    /// Whether this user name is one of them.
    pub fn matches(&self, username: &str) -> bool {
        let mut parts = username.split(':');
        self.0.split(':').all(|it| parts.next().is_some_and(|part| is_match(it, part)))
            && parts.next().is_none()
    }

    /// Whom it would trust, where that is too many.
    fn breadth(&self) -> Option<&'static str> {
        // No literal text matches a control character, so only stars can.
        let any_account = format!("{SERVICE_ACCOUNT}\0:\0");
        if self.0.trim_matches(['*', ':']).is_empty() {
            Some("everyone")
        } else if self.matches(&any_account) {
            Some("every service account")
        } else if self.matches("system:anonymous") {
            Some("requests without a user")
        } else {
            None
        }
    }
}

impl fmt::Display for UserPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A pattern in CEL, the language of `matchConditions`; `None` where it has a character that means something there.
pub fn condition(pattern: &str) -> Option<String> {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || "-_.:/@#=+*".contains(it);
    if !pattern.chars().all(is_plain) {
        return None;
    }
    if !pattern.contains('*') {
        return Some(format!("request.userInfo.username == '{pattern}'"));
    }
    let parts: Vec<_> = pattern.split(':').map(expression).collect();
    Some(format!("request.userInfo.username.matches('^{}$')", parts.join(":")))
}

/// The regular expression of the part of a pattern between two colons.
fn expression(part: &str) -> String {
    if !part.is_empty() && part.trim_matches('*').is_empty() {
        return "[^:]+".to_owned();
    }
    part.replace('.', "[.]").replace('+', "[+]").replace('*', "[^:]*")
}

/// Whether `part`, which holds no colon, matches this part of a pattern.
fn is_match(pattern: &str, part: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == part };
    if pattern.trim_matches('*').is_empty() {
        return !part.is_empty();
    }
    let (between, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    // The first place where a text is found leaves most to what follows.
    let left = between
        .split('*')
        .try_fold(part.strip_prefix(first), |left, text| left?.split_once(text).map(|(_, left)| Some(left)));
    left.flatten().is_some_and(|left| left.ends_with(last))
}
