//! The control plane on virtual time: three primaries and three replicas, and what befalls them.

mod checkers;
mod moving;
mod real;
mod rig;
mod scenarios;
mod seams;
mod stub;
mod swarm;
