//! A child process with its log, its memory and a sure end.

use crate::Error;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::watch;

/// A running program. Killed when dropped; its output is printed then if the test is failing.
pub struct Process {
    child: Child,
    log: Arc<Mutex<String>>,
    lines: watch::Receiver<usize>,
    readers: Vec<JoinHandle<()>>,
}

impl Process {
    /// Starts a program with a clean environment but for `env`; both its output streams are kept.
    ///
    /// # Errors
    /// If it can't be started.
    pub fn start(program: &Path, args: &[String], env: &[(&str, &str)]) -> Result<Self, Error> {
        let mut child = Command::new(program)
            .args(args)
            .env_clear()
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let log = Arc::new(Mutex::new(String::new()));
        let (count, lines) = watch::channel(0);
        let count = Arc::new(count);
        let streams: [Option<Box<dyn Read + Send>>; 2] = [
            child.stdout.take().map(|s| Box::new(s) as Box<dyn Read + Send>),
            child.stderr.take().map(|s| Box::new(s) as Box<dyn Read + Send>),
        ];
        let readers = streams
            .into_iter()
            .flatten()
            .map(|stream| {
                let (log, count) = (log.clone(), count.clone());
                std::thread::spawn(move || {
                    for line in BufReader::new(stream).lines().map_while(Result::ok) {
                        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
                        log.push_str(&line);
                        log.push('\n');
                        drop(log);
                        count.send_modify(|n| *n += 1);
                    }
                })
            })
            .collect();
        Ok(Self { child, log, lines, readers })
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything it has written so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends when the log contains `text`, or when the process can write no more.
    pub async fn logged(&mut self, text: &str) -> bool {
        loop {
            if self.log().contains(text) {
                return true;
            }
            if self.lines.changed().await.is_err() {
                return self.log().contains(text);
            }
        }
    }

    /// Asks it to end, as a service manager does (SIGTERM).
    ///
    /// # Errors
    /// If it has already ended and been waited for.
    pub fn terminate(&self) -> Result<(), Error> {
        let pid = rustix::process::Pid::from_raw(self.id().cast_signed()).ok_or(Error::Protocol("no process"))?;
        Ok(rustix::process::kill_process(pid, rustix::process::Signal::TERM).map_err(std::io::Error::from)?)
    }

    /// Waits for its end. Its log is complete then.
    ///
    /// # Errors
    /// If the system can't tell.
    pub async fn ended(&mut self) -> Result<ExitStatus, Error> {
        // Both streams close when it ends: nothing to poll for until then.
        while self.lines.changed().await.is_ok() {}
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        Ok(self.child.wait()?)
    }

    /// Resident memory in bytes.
    ///
    /// # Errors
    /// If the process is gone.
    pub fn resident_memory(&self) -> Result<u64, Error> {
        Ok(self.status_field("VmRSS:")? * 1024)
    }

    /// Threads.
    ///
    /// # Errors
    /// If the process is gone.
    pub fn threads(&self) -> Result<u64, Error> {
        self.status_field("Threads:")
    }

    /// Open file descriptors.
    ///
    /// # Errors
    /// If the process is gone.
    pub fn descriptors(&self) -> Result<usize, Error> {
        Ok(std::fs::read_dir(format!("/proc/{}/fd", self.id()))?.count())
    }

    fn status_field(&self, field: &str) -> Result<u64, Error> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        status
            .lines()
            .find_map(|line| line.strip_prefix(field)?.split_whitespace().next()?.parse().ok())
            .ok_or(Error::Protocol("no such field in /proc/<pid>/status"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        if std::thread::panicking() {
            eprintln!("--- log of process {} ---\n{}--- end of log ---", self.id(), self.log());
        }
    }
}

/// Datagrams that the kernel dropped for want of room in the receive buffer of the UDP socket on `port`.
///
/// # Errors
/// If the kernel's table can't be read.
pub fn udp_drops(port: u16) -> Result<u64, Error> {
    let table = std::fs::read_to_string("/proc/net/udp")?;
    let own = format!(":{port:04X}");
    Ok(table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            if fields.get(1)?.ends_with(&own) { fields.last()?.parse::<u64>().ok() } else { None }
        })
        .sum())
}
