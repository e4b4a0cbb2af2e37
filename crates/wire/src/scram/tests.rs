//! Both sides of SCRAM against each other, and against what must not pass.
