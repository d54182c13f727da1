//! Random numbers of sessions: discriminators, each of which names one session, and jitter.

use std::collections::HashMap;
use std::time::Duration;

use config::Random;

/// The source of both.
pub struct Numbers {
    random: Random,
    sessions: HashMap<u32, usize>,
}

impl Numbers {
    /// Numbers that `random` decides.
    pub fn new(random: Random) -> Numbers {
        Numbers { random, sessions: HashMap::new() }
    }

    /// A discriminator for the session at `place`: not 0, and nobody else's.
    pub fn draw(&mut self, place: usize) -> u32 {
        loop {
            let number = self.random.between(1, u32::MAX.into());
            let Ok(number) = u32::try_from(number) else { continue };
            if let std::collections::hash_map::Entry::Vacant(free) = self.sessions.entry(number) {
                free.insert(place);
                return number;
            }
        }
    }

    /// Another discriminator for the session that has `old`, which names nobody any more.
    pub fn redraw(&mut self, old: u32) -> u32 {
        let place = self.sessions.remove(&old).unwrap_or(usize::MAX);
        self.draw(place)
    }

    /// Whose discriminator this is.
    pub fn place(&self, discriminator: u32) -> Option<usize> {
        self.sessions.get(&discriminator).copied()
    }

    /// Renumbers the sessions: `discriminators` in their new order.
    pub fn renumber(&mut self, discriminators: impl Iterator<Item = u32>) {
        self.sessions.clear();
        self.sessions.extend(discriminators.enumerate().map(|(place, number)| (number, place)));
    }

    /// An interval of so many microseconds, made 10 to 25 % shorter so that systems do not send in step
    /// (RFC 5880 section 6.8.7).
    pub fn jitter(&mut self, micros: u32) -> Duration {
        let micros = u64::from(micros);
        let nanos = self.random.between(micros * 750, micros * 900);
        Duration::from_nanos(nanos)
    }
}
