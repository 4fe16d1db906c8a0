//! What the streams of newer primaries say about strings, in the words of Redis 7.0.
//!
//! A primary sends what it has done, so its conditions held: they are left out, and need no
//! looking at the data.

use wire::command::CommandId;
use wire::number;

/// The same in commands that we have; `None` if it is one of them already, or none that is known.
/// `id` is what its name is known as here.
pub(super) fn translate<'a>(
    id: Option<CommandId>,
    args: &[&'a [u8]],
) -> Option<Vec<Vec<&'a [u8]>>> {
    match id {
        Some(CommandId::Set) if args.len() > 4 => set(args),
        None if args.first()?.eq_ignore_ascii_case(b"MSETEX") => set_many(args),
        _ => None,
    }
}

/// `SET key value … IFEQ value …`.
fn set<'a>(args: &[&'a [u8]]) -> Option<Vec<Vec<&'a [u8]>>> {
    let mut at = 3;
    while let Some(word) = args.get(at) {
        if word.eq_ignore_ascii_case(b"IFEQ") {
            args.get(at + 1)?;
            return Some(vec![[&args[..at], &args[at + 2..]].concat()]);
        }
        at += if takes_value(word) { 2 } else { 1 };
    }
    None
}

/// `MSETEX keys key value … options`.
fn set_many<'a>(args: &[&'a [u8]]) -> Option<Vec<Vec<&'a [u8]>>> {
    let keys = usize::try_from(number::parse_u64(args.get(1)?)?).ok()?;
    let pairs = args[2..].get(..keys.checked_mul(2)?)?;
    let mut options = args[2 + pairs.len()..].to_vec();
    options.retain(|word| !word.eq_ignore_ascii_case(b"NX") && !word.eq_ignore_ascii_case(b"XX"));
    let one = |pair: &[&'a [u8]]| [&[&b"SET"[..]], pair, &options].concat();
    (keys > 0).then(|| pairs.chunks(2).map(one).collect())
}

fn takes_value(word: &[u8]) -> bool {
    ["EX", "PX", "EXAT", "PXAT"].iter().any(|name| word.eq_ignore_ascii_case(name.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::translate;
    use wire::command;

    fn said(line: &str) -> Option<Vec<String>> {
        let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        let id = command::lookup(args[0]).map(|row| row.id);
        let commands = translate(id, &args)?;
        let text = |args: Vec<&[u8]>| String::from_utf8_lossy(&args.join(&b' ')).into_owned();
        Some(commands.into_iter().map(text).collect())
    }

    #[test]
    fn conditions_are_left_out() {
        assert_eq!(said("SET k v IFEQ IFEQ"), Some(vec!["SET k v".into()]));
        assert_eq!(
            said("set k IFEQ keepttl ifeq o get"),
            Some(vec!["set k IFEQ keepttl get".into()])
        );
        assert_eq!(said("SET k v PXAT 5 IFEQ o"), Some(vec!["SET k v PXAT 5".into()]));
        assert_eq!(said("SET k v PXAT ifeq 5"), None);
        assert_eq!(said("SET k v IFEQ"), None);
        assert_eq!(said("SET IFEQ IFEQ PX 5"), None);
        assert_eq!(said("SET k v"), None);
        assert_eq!(said("GET k"), None);
    }

    #[test]
    fn several_keys_are_set_one_by_one() {
        let two = |options: &str| {
            let line = |pair: &str| format!("SET {pair}{options}");
            Some(vec![line("a 1"), line("NX XX")])
        };
        assert_eq!(said("MSETEX 2 a 1 NX XX"), two(""));
        assert_eq!(said("msetex 2 a 1 NX XX nx PXAT 5"), two(" PXAT 5"));
        assert_eq!(said("MSETEX 2 a 1 NX XX KEEPTTL XX"), two(" KEEPTTL"));
        for bad in ["MSETEX", "MSETEX 0 a 1", "MSETEX 2 a 1 b", "MSETEX -1 a 1", "MSETEX x a 1"] {
            assert_eq!(said(bad), None, "{bad}");
        }
        assert_eq!(said("MSETEX 9223372036854775808 a 1"), None);
    }
}
