//! What becomes of a tool when nobody reads what it prints any more: `holdfast check ... | head`.

/// The exit status that a shell gives for a death by SIGPIPE.
const STATUS: i32 = 141;

/// Ends the process without a word when its output cannot be printed because the reader is gone.
/// The signal itself stays ignored: a node's closed connection must not end us.
pub(crate) fn end_quietly() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let text = panic.payload().downcast_ref::<String>().map_or("", String::as_str);
        if text.starts_with("failed printing to std") && text.contains("Broken pipe") {
            std::process::exit(STATUS);
        }
        before(panic);
    }));
}
