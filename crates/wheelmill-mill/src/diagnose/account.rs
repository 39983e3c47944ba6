//! What a rule says when its signs are there.

/// What happened and what to do, as one rule tells it.
pub(super) struct Account {
    /// What happened, in one or two sentences.
    pub(super) message: String,
    /// What to do, the likeliest first.
    pub(super) fixes: Vec<String>,
    /// Lines that tell more than the signs themselves, by their place in the log.
    pub(super) lines: Vec<usize>,
}

impl Account {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), fixes: Vec::new(), lines: Vec::new() }
    }

    pub(super) fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fixes.push(fix.into());
        self
    }

    pub(super) fn fix_some(mut self, fix: Option<String>) -> Self {
        self.fixes.extend(fix);
        self
    }

    pub(super) fn also(mut self, lines: impl IntoIterator<Item = usize>) -> Self {
        self.lines.extend(lines);
        self
    }
}
