//! One run from beginning to end: fills the seats of a plan, lets them sit, counts, and sends everybody home.

use crate::Error;
use crate::args::{Args, Target};
use crate::dialect::{self, Common, Dialect, Life};
use crate::engine::{Clock, Engine, Handle};
use crate::report::document::{Document, Joins, Material, Moment};
use crate::report::percentile::Percentiles;
use crate::report::process::Sample;
use crate::report::progress::Second;
use crate::report::{expect, progress};
use crate::scenario::{Plan, Planned};
use crate::token::Signer;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep_until;

/// Late joins are waited for so long after the last set out.
const LAST_JOIN: Duration = Duration::from_secs(25);
/// What is still under way at the end arrives within this, retransmissions included.
const DRAIN: Duration = Duration::from_millis(800);
/// Leaving takes this long at most.
const FAREWELL: Duration = Duration::from_secs(5);

/// What a participant's task tells.
enum News {
    Joined {
        first: bool,
        took: u64,
    },
    Failed {
        first: bool,
        was_in: bool,
        why: String,
    },
    Left,
    /// Was told to come back later, and will.
    TurnedAway,
}

/// Runs a plan.
///
/// # Errors
/// If it couldn't be run; what went wrong in it stands in the document.
pub async fn run(args: &Args, target: &Target, plan: Plan) -> Result<Document, Error> {
    let (engine, thread) = Engine::start(args.gro)?;
    let common = Common {
        server: target.server.clone(),
        host: target.addresses.first().copied(),
        via: args.media_via,
        dynacast: !args.no_dynacast,
        signer: Signer { key: args.api_key.clone(), secret: args.api_secret.clone() },
        engine: engine.clone(),
    };
    let dialect: std::sync::Arc<dyn Dialect> = dialect::of(args.dialect, common).into();
    let mut conductor = Conductor::new(args, engine)?;
    let document = conductor.conduct(plan, dialect).await;
    drop(conductor);
    // All handles are gone with the tasks; the engine ends.
    let _ = tokio::time::timeout(FAREWELL, tokio::task::spawn_blocking(move || thread.join())).await;
    document
}

struct Conductor<'a> {
    args: &'a Args,
    engine: Handle,
    news: mpsc::UnboundedReceiver<News>,
    tell: mpsc::UnboundedSender<News>,
    joins: Joins,
    times: Vec<u64>,
    /// Participants of the first wave that are neither in nor failed.
    awaited: usize,
    present: usize,
    begun: Instant,
    seconds: u64,
    before: Moment,
    /// Where a line for each second goes.
    live: Option<Box<dyn Write + Send + 'a>>,
    /// Why the run ends early.
    aborted: Option<String>,
    /// Publishers have fallen silent; what is under way is waited for.
    hushed: bool,
}

impl<'a> Conductor<'a> {
    fn new(args: &'a Args, engine: Handle) -> Result<Self, Error> {
        let (tell, news) = mpsc::unbounded_channel();
        let live: Option<Box<dyn Write + Send>> = match args.live.as_deref() {
            Some(path) if path == Path::new("-") => Some(Box::new(std::io::stderr())),
            Some(path) => Some(Box::new(std::fs::File::create(path)?)),
            None => None,
        };
        Ok(Self {
            args,
            engine,
            news,
            tell,
            joins: Joins::default(),
            times: Vec::new(),
            awaited: 0,
            present: 0,
            begun: Instant::now(),
            seconds: 0,
            before: Moment::default(),
            live,
            aborted: None,
            hushed: false,
        })
    }

    async fn conduct(&mut self, plan: Plan, dialect: std::sync::Arc<dyn Dialect>) -> Result<Document, Error> {
        let before = self.moment(false).await?.0;
        if self.args.server_pid.is_some() && before.server.is_none() {
            return Err(Error::Usage("--server-pid names no process".into()));
        }
        self.before = before.clone();
        self.begun = Instant::now();
        let mut leavers = Vec::new();
        for planned in plan.seats {
            let first = planned.at <= plan.joined_by;
            self.awaited += usize::from(first);
            leavers.push(self.seat(planned, first, dialect.clone()));
        }
        self.wait_until(self.begun + plan.joined_by + LAST_JOIN + self.args.retry.unwrap_or_default(), true).await?;
        self.wait_until(Instant::now() + self.args.settle, false).await?;
        self.engine.restart()?;
        let (begin, _) = self.moment(false).await?;
        let started = Instant::now();
        self.wait_until(started + plan.duration, false).await?;
        let (end, latency) = self.moment(false).await?;
        let span = started.elapsed();
        self.engine.hush()?;
        self.hushed = true;
        self.wait_until(Instant::now() + DRAIN, false).await?;
        let last = self.engine.snapshot(true).await?.0;
        drop(leavers);
        let _ = tokio::time::timeout(FAREWELL, async {
            while self.present > 0 {
                let Some(news) = self.news.recv().await else { break };
                self.hear(news);
            }
        })
        .await;
        self.joins.time_ms = Percentiles::of(std::mem::take(&mut self.times));
        let joins = self.joins.clone();
        let mut document = Document::new(Material {
            command: command(),
            scenario: self.args.scenario,
            allow_unheard: self.args.expect.allow_unheard,
            span,
            before,
            begin,
            end,
            last,
            latency,
            joins,
        });
        document.failures = expect::judge(&document, &self.args.expect);
        document.failures.extend(self.aborted.take());
        Ok(document)
    }

    /// Starts a participant's task; dropping what is returned asks it to leave.
    fn seat(&self, planned: Planned, first: bool, dialect: std::sync::Arc<dyn Dialect>) -> oneshot::Sender<()> {
        let (leave, left) = oneshot::channel();
        let (tell, begun) = (self.tell.clone(), self.begun);
        let retry = self.args.retry.unwrap_or_default();
        tokio::spawn(async move {
            let Planned { seat, at, until } = planned;
            let mut left = left;
            tokio::select! {
                () = sleep_until((begun + at).into()) => {}
                _ = &mut left => return,
            }
            let set_out = Clock::now();
            let attend = || {
                let (go, gone) = oneshot::channel();
                let (joined, is_in) = oneshot::channel();
                (dialect.attend(seat.clone(), Life { joined, leave: gone, begun: set_out }), Some(is_in), Some(go))
            };
            let (mut life, mut is_in, mut go) = attend();
            let end = until.map_or_else(|| begun + Duration::from_secs(365 * 86_400), |until| begun + until);
            let (mut was_in, mut asked) = (false, false);
            let result = loop {
                tokio::select! {
                    result = &mut life => match result {
                        Err(Error::Busy { after, .. }) if begun.elapsed() + after < at + retry && !asked => {
                            let _ = tell.send(News::TurnedAway);
                            tokio::select! {
                                () = tokio::time::sleep(after) => (life, is_in, go) = attend(),
                                _ = &mut left => break Err(Error::Late("coming back")),
                            }
                        }
                        result => break result,
                    },
                    joined = async { match &mut is_in { Some(is_in) => is_in.await.is_ok(), None => std::future::pending().await } } => {
                        is_in = None;
                        if joined {
                            was_in = true;
                            let _ = tell.send(News::Joined { first, took: Clock::now().saturating_sub(set_out) });
                        }
                    }
                    _ = &mut left, if !asked => { asked = true; go = None; }
                    () = sleep_until(end.into()), if !asked => { asked = true; go = None; }
                }
            };
            drop(go);
            let _ = tell.send(match result {
                Ok(()) if was_in => News::Left,
                Ok(()) => News::Failed { first, was_in, why: "asked to leave before it was in".into() },
                Err(error) => News::Failed { first, was_in, why: error.to_string() },
            });
        });
        leave
    }

    fn hear(&mut self, news: News) {
        match news {
            News::Joined { first, took } => {
                self.joins.asked += 1;
                self.joins.joined += 1;
                self.present += 1;
                self.times.push(took);
                self.awaited -= usize::from(first);
            }
            News::Failed { first, was_in, why } => {
                if was_in {
                    self.present -= 1;
                } else {
                    self.joins.asked += 1;
                    self.awaited -= usize::from(first);
                }
                self.joins.failed += 1;
                if self.joins.blame(&why) && !self.args.quiet {
                    // A closed terminal is no reason to end a measurement.
                    let _ = writeln!(std::io::stderr(), "a join failed: {why}");
                }
            }
            News::Left => self.present -= 1,
            News::TurnedAway => self.joins.turned_away += 1,
        }
    }

    /// Listens and tells of progress until `end`, or until everybody of the first wave is in or has failed.
    async fn wait_until(&mut self, end: Instant, for_joins: bool) -> Result<(), Error> {
        loop {
            if (for_joins && self.awaited == 0) || (self.aborted.is_some() && !self.hushed) {
                return Ok(());
            }
            let second = self.begun + Duration::from_secs(self.seconds + 1);
            tokio::select! {
                () = sleep_until(end.into()) => return Ok(()),
                Some(news) = self.news.recv() => self.hear(news),
                () = sleep_until(second.into()) => {
                    self.seconds += 1;
                    let (now, latency) = self.moment(false).await?;
                    if !self.args.quiet {
                        let line = progress::line(self.seconds, self.present, self.joins.failed, &now, &self.before, &latency);
                        // A closed terminal is no reason to end a measurement.
                        let _ = writeln!(std::io::stderr(), "{line}");
                    }
                    self.second(&now, &latency);
                    self.before = now;
                }
            }
        }
    }

    /// Tells programs of a second, and judges whether to go on.
    fn second(&mut self, now: &Moment, latency: &crate::engine::measure::Latency) {
        let second = Second::new(self.seconds, self.present, self.joins.failed, now, &self.before, latency);
        if let (Some(live), Ok(line)) = (&mut self.live, serde_json::to_string(&second)) {
            // A reader that has gone is no reason to end a measurement.
            let _ = writeln!(live, "{line}");
        }
        if let Some(limit) = self.args.abort_loss
            && second.loss_share > limit
            && self.aborted.is_none()
        {
            let (at, share) = (second.second, second.loss_share);
            self.aborted =
                Some(format!("ended early: in second {at} a share of {share:.4} was lost, more than {limit}"));
        }
    }

    async fn moment(&self, last: bool) -> Result<(Moment, crate::engine::measure::Latency), Error> {
        let (measured, latency) = self.engine.snapshot(last).await?;
        let server = self.args.server_pid.and_then(Sample::read);
        Ok((Moment { measured, server, own: Sample::read(std::process::id()) }, latency))
    }
}

/// The command line; what comes after `--api-secret` isn't told.
fn command() -> String {
    let mut hide = false;
    let words = std::env::args().map(|word| {
        let secret = std::mem::replace(&mut hide, word == "--api-secret");
        if secret {
            "…".into()
        } else if word.starts_with("--api-secret=") {
            "--api-secret=…".into()
        } else {
            word
        }
    });
    words.collect::<Vec<String>>().join(" ")
}
