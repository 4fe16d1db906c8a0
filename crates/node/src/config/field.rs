//! Typed values in [`Config`](super::Config), and their text.

use crate::client_limits::{ClientMemory, OutputLimits, output_limits, show_output_limits};

/// A typed value and its normal text.
pub(super) trait Field {
    /// The value as CONFIG GET shows it.
    fn show(&self) -> String;
    /// Takes a value in its normal form.
    fn take(&mut self, text: &str);
}

impl Field for bool {
    fn show(&self) -> String {
        String::from(if *self { "yes" } else { "no" })
    }

    fn take(&mut self, text: &str) {
        *self = text == "yes";
    }
}

impl Field for String {
    fn show(&self) -> String {
        self.clone()
    }

    fn take(&mut self, text: &str) {
        *self = text.into();
    }
}

macro_rules! numbers {
    ($($type:ty),*) => {$(
        impl Field for $type {
            fn show(&self) -> String {
                self.to_string()
            }

            fn take(&mut self, text: &str) {
                // A normal form is within the row's bounds; those of the type are wider.
                *self = text.parse().unwrap_or(<$type>::MAX);
            }
        }
    )*};
}

numbers!(u16, u32, u64, usize, i64);

impl Field for ClientMemory {
    fn show(&self) -> String {
        self.to_string()
    }

    fn take(&mut self, text: &str) {
        *self = match text.strip_suffix('%') {
            Some(percent) => ClientMemory::Percent(percent.parse().unwrap_or(0)),
            None => ClientMemory::Bytes(text.parse().unwrap_or(0)),
        };
    }
}

impl Field for OutputLimits {
    fn show(&self) -> String {
        show_output_limits(self)
    }

    fn take(&mut self, text: &str) {
        // A normal form names every class, and is always taken.
        let _ = output_limits(self, &[text]);
    }
}
