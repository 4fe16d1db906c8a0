//! `holdfast bench`: a load generator with the arguments of redis-benchmark.
//!
//! It reads every reply: an error ends the run. With `--cluster` it goes on through redirections
//! and failovers, and says how many requests it had to send again.

mod load;
mod options;
mod reply;
mod report;
mod spread;
mod workload;

use load::{Outcome, Work};
use options::Options;
use report::{Report, Row};
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};
use wire::value::Value;
use workload::Template;

/// Runs it with these arguments.
pub(crate) fn main(args: &[String]) -> ExitCode {
    match args.first().map(String::as_str) {
        Some("--help") => {
            print!("{}", options::USAGE);
            return ExitCode::SUCCESS;
        }
        Some("--version" | "-v") => {
            println!("redis-benchmark {} (Holdfast {})", node::REDIS_VERSION, node::VERSION);
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    match options::parse(args).and_then(|options| run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            if error.contains("server: MOVED ") && !args.iter().any(|word| word == "--cluster") {
                eprintln!("The server is a node of a cluster; --cluster goes to all of its nodes.");
            }
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), String> {
    let stop = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register_conditional_default(signal_hook::consts::SIGINT, Arc::clone(&stop))
        .and_then(|_| signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::clone(&stop)))
        .map_err(|error| error.to_string())?;
    shell::raise_open_files(options.load.clients as u64 + 64).map_err(|error| error.to_string())?;
    let report = Report {
        style: options.style,
        precision: options.precision,
        load: &options.load,
        server: server_settings(options)?,
    };
    report.head();
    let mut rows = Vec::new();
    loop {
        for (title, template) in jobs(options) {
            let (requests, outcome) = measure(options, &title, &template, &stop)?;
            if requests == 0 {
                return Err(String::from("interrupted"));
            }
            let row = Row { title, requests, outcome };
            report.row(&row);
            rows.push(row);
        }
        if !options.endless || stop.load(Relaxed) {
            report.tail(&rows);
            return Ok(());
        }
        rows.clear();
    }
}

/// Titles and requests of what is to be measured.
fn jobs(options: &Options) -> Vec<(String, Template)> {
    if !options.command.is_empty() {
        return vec![(options.command.join(" "), Template::new(&options.command))];
    }
    let (size, cluster) = (options.load.size, options.target.cluster);
    let job = |kind: &workload::Kind| (kind.title().to_string(), kind.template(size, cluster));
    options.tests.iter().map(job).collect()
}

/// Settings that matter for figures. A server that cannot be reached is found here.
fn server_settings(options: &Options) -> Result<Option<(String, String)>, String> {
    let target = &options.target;
    let mut connection = spread::enter(target, &target.host, target.port)?;
    let mut setting = |name: &str| match connection.call(&[b"CONFIG", b"GET", name.as_bytes()]) {
        Ok(Value::Array(mut items)) if items.len() == 2 => {
            crate::connection::text(items.remove(1)).ok()
        }
        Ok(Value::Map(mut pairs)) if pairs.len() == 1 => {
            crate::connection::text(pairs.remove(0).1).ok()
        }
        _ => None,
    };
    Ok(setting("save").map(|save| (save, setting("appendonly").unwrap_or_else(|| "no".into()))))
}

/// One test on all threads; how many requests were answered.
fn measure(
    options: &Options,
    title: &str,
    template: &Template,
    stop: &AtomicBool,
) -> Result<(u64, Outcome), String> {
    let load = &options.load;
    let progress = AtomicU64::new(0);
    let over = AtomicBool::new(false);
    let share = |all: u64, index: usize| {
        let threads = load.threads as u64;
        all / threads + u64::from((index as u64) < all % threads)
    };
    let works: Vec<Work<'_>> = (0..load.threads)
        .map(|index| Work {
            target: &options.target,
            load,
            template,
            clients: share(load.clients as u64, index) as usize,
            requests: share(load.requests, index),
            progress: &progress,
            stop,
        })
        .collect();
    let results: Vec<Result<Outcome, String>> = std::thread::scope(|scope| {
        let show = options.live.then(|| scope.spawn(|| show_progress(title, &progress, &over)));
        let threads: Vec<_> =
            works.iter().map(|work| scope.spawn(move || load::run(work))).collect();
        let failed = || Err(String::from("a thread failed"));
        let results =
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| failed())).collect();
        over.store(true, Relaxed);
        if let Some(show) = show {
            show.thread().unpark();
        }
        results
    });
    let mut all = Outcome { latencies: load::histogram(), repeated: 0, took: Duration::ZERO };
    for result in results {
        let one = result?;
        all.latencies.add(&one.latencies).map_err(|error| error.to_string())?;
        all.repeated += one.repeated;
        all.took = all.took.max(one.took);
    }
    Ok((progress.load(Relaxed), all))
}

/// Four times a second, on a terminal: how fast it is just now and was so far.
fn show_progress(title: &str, progress: &AtomicU64, over: &AtomicBool) {
    let began = Instant::now();
    let (mut before, mut at) = (0, began);
    let mut width = 0;
    while !over.load(Relaxed) {
        std::thread::park_timeout(Duration::from_millis(250));
        let (done, now) = (progress.load(Relaxed), Instant::now());
        let line = format!(
            "{title}: rps={:.1} (overall: {:.1})",
            report::rate(done - before, now - at),
            report::rate(done, now - began)
        );
        print!("\r{line:width$}");
        // What cannot be shown is not worth stopping for.
        let _ = std::io::stdout().flush();
        (before, at, width) = (done, now, line.len());
    }
    print!("\r{:width$}\r", "");
    let _ = std::io::stdout().flush();
}
