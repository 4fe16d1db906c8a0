//! MEMORY DOCTOR: what is wrong with the use of memory, in words.

use crate::node::Node;
use std::fmt::Write;

/// With less in use nothing can be said.
const LITTLE: u64 = 5 << 20;
/// Differences below this are noise.
const NOISE: i64 = 10 << 20;

impl Node {
    /// What MEMORY DOCTOR answers. Scripts look at how the sentences begin.
    pub(super) fn diagnosis(&self) -> String {
        let figures = &self.data.memory.figures;
        if figures.used < LITTLE {
            return String::from(
                "Hi Sam, this instance is empty or is using very little memory: there is nothing \
                 to be found in it yet. Come back when it holds more data.\n",
            );
        }
        let issues: Vec<String> = self.issues();
        if issues.is_empty() {
            return String::from(
                "Hi Sam, I can't find any memory issue in your instance. All figures are what \
                 they should be.\n",
            );
        }
        let mut text =
            String::from("Sam, I detected a few issues in this instance memory implants:\n\n");
        for issue in issues {
            // Writing to a String cannot fail.
            let _ = write!(text, " * {issue}\n\n");
        }
        text
    }

    fn issues(&self) -> Vec<String> {
        let figures = &self.data.memory.figures;
        let [inside, kept, beside, whole] = self.gaps();
        let peak = self.statistics.memory_peak as f64 / figures.used as f64;
        let each = |(bytes, count): (u64, u64)| bytes.checked_div(count).unwrap_or(0);
        let found = [
            (
                peak > 1.5,
                format!(
                    "Peak memory: more than 150% of what is in use now was in use once. What was \
                     freed since may not have gone back to the system; it is used again as data \
                     grows. MEMORY PURGE hands back what can be. (peak / used: {peak:.2})"
                ),
            ),
            (
                whole.value() > 1.4 && whole.difference() > NOISE,
                format!(
                    "High total RSS: the process takes much more memory than is in use. The \
                     items below say where. (RSS / used: {:.2})",
                    whole.value()
                ),
            ),
            (
                inside.value() > 1.1 && inside.difference() > NOISE,
                format!(
                    "High allocator fragmentation: pages are only partly in use, as after many \
                     values were deleted or changed their size. (active / used: {:.2})",
                    inside.value()
                ),
            ),
            (
                kept.value() > 1.1 && kept.difference() > NOISE,
                format!(
                    "High allocator RSS overhead: the allocator keeps empty pages, usually after \
                     a peak. MEMORY PURGE hands them back. (kept / active: {:.2})",
                    kept.value()
                ),
            ),
            (
                beside.value() > 1.1 && beside.difference() > NOISE,
                format!(
                    "High process RSS overhead: memory is taken beside the allocator. (RSS / \
                     kept: {:.2})",
                    beside.value()
                ),
            ),
            (
                each(figures.replicas) > 10 << 20,
                String::from(
                    "Big replica buffers: more than 10 MB wait for each replica. It reads too \
                     slowly, or the network is too slow for what is written.",
                ),
            ),
            (
                each(figures.clients) > 200 << 10,
                String::from(
                    "Big client buffers: clients take more than 200 KB each. They send long \
                     requests, or do not read their replies; CLIENT LIST shows which (omem, qbuf).",
                ),
            ),
        ];
        found.into_iter().filter(|(is, _)| *is).map(|(_, text)| text).collect()
    }
}
