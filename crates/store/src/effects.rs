//! What a command did to the data, in the form that replicas and the append-only file repeat.

/// The effects of the command at hand.
///
/// When nobody records (no replica, no append-only file), only the count of changes is kept.
#[derive(Default, Debug)]
pub struct Effects {
    recording: bool,
    changes: u64,
    verbatim: bool,
    commands: u32,
    apart: bool,
    bytes: Vec<u8>,
}

impl Effects {
    /// Whether effects are to be encoded.
    pub fn record(&mut self, recording: bool) {
        self.recording = recording;
    }

    /// The request as received repeats what it did.
    #[inline]
    pub fn verbatim(&mut self, changes: u64) {
        self.changes += changes;
        self.verbatim = true;
    }

    /// This command repeats what was done.
    pub fn command(&mut self, changes: u64, args: &[&[u8]]) {
        self.changes += changes;
        if !self.recording {
            return;
        }
        self.commands += 1;
        encode(args, &mut self.bytes);
    }

    /// What the command does is removing keys that it met by chance: each removal stands for
    /// itself, and no transaction holds them together.
    pub fn apart(&mut self) {
        self.apart = true;
    }

    /// Changes since the last [`Effects::take`].
    #[inline]
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Ends the command: what it did, with `bytes` filled by encoded commands, and starts anew.
    #[inline]
    pub fn take(&mut self, bytes: &mut Vec<u8>) -> Taken {
        let taken = Taken {
            changes: self.changes,
            verbatim: self.verbatim,
            commands: self.commands,
            apart: self.apart,
        };
        bytes.clear();
        std::mem::swap(bytes, &mut self.bytes);
        self.changes = 0;
        self.verbatim = false;
        self.commands = 0;
        self.apart = false;
        taken
    }
}

/// What a command did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Taken {
    /// Changes, as `rdb_changes_since_last_save` counts them.
    pub changes: u64,
    /// Whether the request itself comes after the encoded commands.
    pub verbatim: bool,
    /// How many commands were encoded.
    pub commands: u32,
    /// Whether they stand each for itself.
    pub apart: bool,
}

/// Appends a command as a RESP array of bulk strings.
pub fn encode(args: &[&[u8]], out: &mut Vec<u8>) {
    let mut digits = itoa::Buffer::new();
    out.push(b'*');
    out.extend_from_slice(digits.format(args.len()).as_bytes());
    out.extend_from_slice(b"\r\n");
    for arg in args {
        out.push(b'$');
        out.extend_from_slice(digits.format(arg.len()).as_bytes());
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(arg);
        out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_encoded_unless_recorded() {
        let mut effects = Effects::default();
        let mut bytes = vec![];
        effects.command(1, &[b"DEL", b"k"]);
        let taken = effects.take(&mut bytes);
        assert_eq!((taken.changes, taken.commands, bytes.len()), (1, 0, 0));
        effects.record(true);
        effects.command(1, &[b"DEL", b"k"]);
        effects.verbatim(2);
        let taken = Taken { changes: 3, verbatim: true, commands: 1, apart: false };
        assert_eq!(effects.take(&mut bytes), taken);
        assert_eq!(bytes, b"*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n");
    }

    #[test]
    fn each_command_says_anew_what_holds_its_effects_together() {
        let mut effects = Effects::default();
        effects.apart();
        assert!(effects.take(&mut Vec::new()).apart);
        assert!(!effects.take(&mut Vec::new()).apart);
    }
}
