//! The words of MIGRATE.

use machine::Span;
use wire::number;

/// How long a target is waited for if the command does not say.
const TIMEOUT: i64 = 1000;

/// What a client asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) host: String,
    pub(super) port: u16,
    /// The target's database. It may not be one.
    pub(super) db: i64,
    /// Without a sign of life for so long, the target is given up.
    pub(super) timeout: Span,
    pub(super) copy: bool,
    pub(super) replace: bool,
    /// The arguments of AUTH; empty: none is said.
    pub(super) auth: Vec<Vec<u8>>,
}

impl Words {
    /// Reads a request; its keys are the arguments from the returned place on, and so many.
    pub(super) fn read(args: &[&[u8]]) -> Result<(Self, Vec<Vec<u8>>), &'static str> {
        let (mut copy, mut replace, mut auth) = (false, false, Vec::new());
        let mut keys = vec![args[3].to_vec()];
        let mut rest = args[6..].iter();
        while let Some(word) = rest.next() {
            match word.to_ascii_lowercase().as_slice() {
                b"copy" => copy = true,
                b"replace" => replace = true,
                b"auth" => {
                    let password = rest.next().ok_or(SYNTAX)?;
                    auth = vec![password.to_vec()];
                }
                b"auth2" => {
                    let (Some(user), Some(password)) = (rest.next(), rest.next()) else {
                        return Err(SYNTAX);
                    };
                    auth = vec![user.to_vec(), password.to_vec()];
                }
                b"keys" if !args[3].is_empty() => {
                    return Err(
                        "ERR When using MIGRATE KEYS option, the key argument must be set \
                                to the empty string",
                    );
                }
                b"keys" => {
                    keys = rest.by_ref().map(|key| key.to_vec()).collect();
                }
                _ => return Err(SYNTAX),
            }
        }
        let timeout = number::parse_i64(args[5]).ok_or(NOT_INTEGER)?;
        let db = number::parse_i64(args[4]).ok_or(NOT_INTEGER)?;
        let timeout = if timeout <= 0 { TIMEOUT } else { timeout };
        // As far as the clock reaches.
        let timeout = Span::millis((timeout as u64).min(u64::MAX / 4_000_000));
        let host = String::from_utf8_lossy(args[1]).into_owned();
        Ok((Words { host, port: port(args[2]), db, timeout, copy, replace, auth }, keys))
    }
}

const SYNTAX: &str = "ERR syntax error";
const NOT_INTEGER: &str = "ERR value is not an integer or out of range";

/// The digits a word begins with; what is no port becomes one to which nobody can connect.
fn port(word: &[u8]) -> u16 {
    let digits = word.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = number::parse_u64(&word[..digits]).and_then(|port| u16::try_from(port).ok());
    number.unwrap_or(0)
}

/// Whether an argument is part of a name and password.
pub(crate) fn is_secret(index: usize, args: &[&[u8]]) -> bool {
    let mut at = 6;
    while at < args.len() {
        let secrets = match args[at].to_ascii_lowercase().as_slice() {
            b"keys" => return false,
            b"auth" => 1,
            b"auth2" => 2,
            _ => 0,
        };
        if (at + 1..=at + secrets).contains(&index) {
            return true;
        }
        at += 1 + secrets;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<(Words, Vec<Vec<u8>>), &'static str> {
        // A dash stands for the empty word.
        let args: Vec<&[u8]> =
            line.split(' ').map(|word| if word == "-" { b"" } else { word.as_bytes() }).collect();
        Words::read(&args)
    }

    #[test]
    fn options_come_in_any_order_and_keys_last() {
        let line = "migrate h 7000x - 3 -5 replace auth2 u p COPY keys a auth b";
        let (words, keys) = read(line).expect("it is right");
        assert_eq!((words.port, words.db, words.timeout), (7000, 3, Span::millis(1000)));
        assert!(words.copy && words.replace);
        assert_eq!(words.auth, [b"u".to_vec(), b"p".to_vec()]);
        assert_eq!(keys, [b"a".to_vec(), b"auth".to_vec(), b"b".to_vec()]);
        assert_eq!(read("migrate h 70000 k 0 7").map(|(w, k)| (w.port, k.len())), Ok((0, 1)));
    }

    #[test]
    fn errors_come_in_order() {
        let error = |line| read(line).expect_err("it is wrong");
        assert_eq!(error("migrate h 1 k x y keys a"), error("migrate h 1 k 0 0 KEYS"));
        assert_eq!(error("migrate h 1 k x y auth"), SYNTAX);
        assert_eq!(error("migrate h 1 k x y auth2 a"), SYNTAX);
        assert_eq!(error("migrate h 1 k 0 y"), NOT_INTEGER);
        assert_eq!(error("migrate h 1 k y 0"), NOT_INTEGER);
    }

    #[test]
    fn passwords_are_hidden() {
        let args: Vec<&[u8]> = "migrate h 1 - 0 0 auth2 u p copy auth q keys auth k"
            .split(' ')
            .map(str::as_bytes)
            .collect();
        let hidden: Vec<usize> = (0..args.len()).filter(|at| is_secret(*at, &args)).collect();
        assert_eq!(hidden, [7, 8, 11]);
    }
}
