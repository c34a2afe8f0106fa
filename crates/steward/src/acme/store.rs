//! What ACME remembers: nonces, accounts, orders. In memory, bounded, each with its end.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use attest::base64;
use attest::crypto::sha256;
use attest::time::Time;
use service::problem::Problem;

use super::jws::Jwk;

/// Nonces that are good at once: the oldest go first, and whoever held one is told to take another.
const NONCES: usize = 16_384;

/// The bytes of answers that wait for their finalization.
const ANSWERS: usize = 64 * 1024 * 1024;

/// An account that did nothing for this long is forgotten.
const ACCOUNT_SECONDS: u64 = 90 * 24 * 3600;

/// How often what has ended is looked for.
const SWEEP_SECONDS: u64 = 60;

/// Everything.
pub struct Store {
    state: Mutex<State>,
    accounts: usize,
    orders: usize,
    orders_each: usize,
    order_seconds: u64,
}

/// Somebody who orders.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its name.
    pub id: String,
    /// The key that signs its requests.
    pub key: Jwk,
    /// Where its owner can be reached.
    pub contact: Vec<String>,
    /// Whether it was closed.
    pub deactivated: bool,
    /// The external account that it is bound to, as the client sent it.
    pub external: Option<serde_json::Value>,
    used: Time,
}

/// What an order asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identifier {
    /// Whatever the evidence proves.
    Anything,
    /// A certificate of this workload.
    Workload(Vec<u8>),
}

/// An order, with its one authorization and its one challenge.
#[derive(Clone, Debug)]
pub struct Order {
    /// Its name.
    pub id: String,
    /// Whose it is.
    pub account: String,
    /// What it asks for, as the client wrote it.
    pub value: String,
    /// What it asks for.
    pub identifier: Identifier,
    /// The profile that it asks for.
    pub profile: Option<String>,
    /// Its end.
    pub expires: Time,
    /// The challenge's token.
    pub token: String,
    /// When the challenge was met.
    pub validated: Option<Time>,
    /// How far it is.
    pub step: Step,
}

/// How far an order is.
#[derive(Clone, Debug)]
pub enum Step {
    /// The challenge waits for its answer.
    Pending,
    /// The answer was judged; the CSR is waited for.
    Ready(Vec<u8>),
    /// The CSR came, and the certificate is being made.
    Issuing(Vec<u8>),
    /// The certificate and those above it, as PEM.
    Valid(String),
    /// The end.
    Invalid(Box<Problem>),
    /// The client gave it up.
    Deactivated,
}

/// Why something is not remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotKept {
    /// There are too many, of all clients or of this account.
    Full,
    /// The machine gives no randomness to name it.
    Unrandom,
}

#[derive(Default)]
struct State {
    nonces: HashSet<String>,
    nonce_order: VecDeque<String>,
    accounts: HashMap<String, Account>,
    /// Account names by the thumbprints of their keys.
    keys: HashMap<String, String>,
    orders: HashMap<String, Order>,
    swept: u64,
}

impl Store {
    /// An empty store with these bounds.
    pub fn new(accounts: usize, orders: usize, orders_each: usize, order_seconds: u64) -> Self {
        Self { state: Mutex::default(), accounts, orders, orders_each, order_seconds }
    }

    /// A nonce that is good once.
    pub fn nonce(&self) -> Result<String, NotKept> {
        let nonce = token()?;
        let mut state = self.lock();
        if state.nonce_order.len() == NONCES
            && let Some(oldest) = state.nonce_order.pop_front()
        {
            state.nonces.remove(&oldest);
        }
        state.nonces.insert(nonce.clone());
        state.nonce_order.push_back(nonce.clone());
        Ok(nonce)
    }

    /// Spends a nonce, and says whether it was good. Its place in the order is left to be passed over.
    pub fn spend(&self, nonce: &str) -> bool {
        self.lock().nonces.remove(nonce)
    }

    /// The account of this name.
    pub fn account(&self, id: &str, now: Time) -> Option<Account> {
        let mut state = self.lock();
        let account = state.accounts.get_mut(id)?;
        account.used = now;
        Some(account.clone())
    }

    /// The account with this key.
    pub fn account_of(&self, key: &Jwk) -> Option<Account> {
        let state = self.lock();
        state.accounts.get(state.keys.get(&key.thumbprint())?).cloned()
    }

    /// Opens an account; one key has one, which is answered if it is there.
    pub fn open(
        &self,
        key: Jwk,
        contact: Vec<String>,
        external: Option<serde_json::Value>,
        now: Time,
    ) -> Result<Account, NotKept> {
        let id = token()?;
        let mut state = self.lock();
        let full = state.accounts.len() >= self.accounts;
        state.sweep(now, full);
        let thumbprint = key.thumbprint();
        if let Some(known) = state.keys.get(&thumbprint).and_then(|id| state.accounts.get(id)) {
            return Ok(known.clone());
        }
        if state.accounts.len() >= self.accounts {
            return Err(NotKept::Full);
        }
        let account = Account { id: id.clone(), key, contact, deactivated: false, external, used: now };
        state.keys.insert(thumbprint, id.clone());
        state.accounts.insert(id, account.clone());
        Ok(account)
    }

    /// Changes an account.
    pub fn update(&self, id: &str, change: impl FnOnce(&mut Account)) -> Option<Account> {
        let mut state = self.lock();
        let account = state.accounts.get_mut(id)?;
        change(account);
        Some(account.clone())
    }

    /// Gives an account another key; the name of the account whose key it is already, otherwise.
    pub fn change_key(&self, id: &str, key: Jwk) -> Result<(), String> {
        let mut state = self.lock();
        let thumbprint = key.thumbprint();
        if let Some(taken) = state.keys.get(&thumbprint) {
            return Err(taken.clone());
        }
        if let Some(account) = state.accounts.get_mut(id) {
            let old = std::mem::replace(&mut account.key, key).thumbprint();
            state.keys.remove(&old);
            state.keys.insert(thumbprint, id.to_owned());
        }
        Ok(())
    }

    /// Begins an order.
    pub fn order(
        &self,
        account: &str,
        (value, identifier): (String, Identifier),
        profile: Option<String>,
        now: Time,
    ) -> Result<Order, NotKept> {
        let (id, token) = (token()?, token()?);
        let mut state = self.lock();
        let full = state.orders.len() >= self.orders;
        state.sweep(now, full);
        if state.orders.len() >= self.orders {
            return Err(NotKept::Full);
        }
        if state.orders.values().filter(|order| order.account == account).count() >= self.orders_each {
            return Err(NotKept::Full);
        }
        let order = Order {
            id: id.clone(),
            account: account.to_owned(),
            value,
            identifier,
            profile,
            expires: Time(now.0.saturating_add(self.order_seconds)),
            token,
            validated: None,
            step: Step::Pending,
        };
        state.orders.insert(id, order.clone());
        Ok(order)
    }

    /// The order of this name, if it is this account's and has not ended.
    pub fn find(&self, id: &str, account: &str, now: Time) -> Option<Order> {
        let state = self.lock();
        state.orders.get(id).filter(|order| order.account == account && order.expires > now).cloned()
    }

    /// The names of an account's orders.
    pub fn orders_of(&self, account: &str, now: Time) -> Vec<String> {
        let state = self.lock();
        let own = |order: &&Order| order.account == account && order.expires > now;
        let mut ids: Vec<String> = state.orders.values().filter(own).map(|order| order.id.clone()).collect();
        ids.sort();
        ids
    }

    /// Takes an order a step further, if it is where `from` expects it.
    pub fn step(
        &self,
        id: &str,
        from: impl FnOnce(&Step) -> bool,
        to: impl FnOnce(Step) -> Step,
    ) -> Option<Order> {
        let mut state = self.lock();
        let order = state.orders.get_mut(id).filter(|order| from(&order.step))?;
        order.step = to(std::mem::replace(&mut order.step, Step::Pending));
        Some(order.clone())
    }

    /// Keeps the answer of a challenge that was met.
    pub fn meet(&self, id: &str, answer: Vec<u8>, now: Time) -> Result<Option<Order>, NotKept> {
        let mut state = self.lock();
        let size = |order: &Order| match &order.step {
            Step::Ready(answer) | Step::Issuing(answer) => answer.len(),
            _ => 0,
        };
        if state.orders.values().map(size).sum::<usize>() + answer.len() > ANSWERS {
            return Err(NotKept::Full);
        }
        let order = state.orders.get_mut(id).filter(|order| matches!(order.step, Step::Pending));
        Ok(order.map(|order| {
            (order.validated, order.step) = (Some(now), Step::Ready(answer));
            order.clone()
        }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Forgets what has ended; looks for it now and then, or at once if `full`.
    fn sweep(&mut self, now: Time, full: bool) {
        if !full && now.0 < self.swept.saturating_add(SWEEP_SECONDS) {
            return;
        }
        self.swept = now.0;
        self.orders.retain(|_, order| order.expires > now);
        self.accounts.retain(|_, account| account.used.0.saturating_add(ACCOUNT_SECONDS) > now.0);
        self.keys.retain(|_, id| self.accounts.contains_key(id));
    }
}

impl Order {
    /// The nonce that KeepClaims must hold: the SHA-256 of the key authorization (RFC 8555 section 8.1).
    pub fn freshness_nonce(&self, key: &Jwk) -> [u8; 32] {
        sha256(format!("{}.{}", self.token, key.thumbprint()).as_bytes())
    }
}

/// 128 random bits, in base64url (RFC 8555 sections 6.5.1, 8.1).
fn token() -> Result<String, NotKept> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| NotKept::Unrandom)?;
    Ok(base64::encode_url(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time(1000);

    fn key(x: &str) -> Jwk {
        Jwk::Okp { crv: "Ed25519".into(), x: x.into() }
    }

    fn order(store: &Store, account: &str, now: Time) -> Result<Order, NotKept> {
        store.order(account, (String::new(), Identifier::Anything), None, now)
    }

    #[test]
    fn a_nonce_is_good_once_and_the_oldest_go() {
        let store = Store::new(1, 1, 1, 60);
        let first = store.nonce().expect("a nonce");
        assert!(store.spend(&first));
        assert!(!store.spend(&first));
        let second = store.nonce().expect("a nonce");
        for _ in 0..NONCES {
            store.nonce().expect("a nonce");
        }
        assert!(!store.spend(&second));
        assert_eq!(store.lock().nonces.len(), NONCES);
    }

    #[test]
    fn bounds_hold_and_what_ends_makes_room() {
        let store = Store::new(2, 3, 2, 60);
        let one = store.open(key("a"), Vec::new(), None, NOW).expect("an account");
        assert_eq!(store.open(key("a"), Vec::new(), None, NOW).expect("the same").id, one.id);
        let two = store.open(key("b"), Vec::new(), None, NOW).expect("an account");
        assert_eq!(store.open(key("c"), Vec::new(), None, NOW).err(), Some(NotKept::Full));
        let first = order(&store, &one.id, NOW).expect("an order");
        order(&store, &one.id, NOW).expect("an order");
        assert!(matches!(order(&store, &one.id, NOW), Err(NotKept::Full)));
        order(&store, &two.id, NOW).expect("an order");
        assert!(matches!(order(&store, &two.id, NOW), Err(NotKept::Full)));
        assert!(store.find(&first.id, &two.id, NOW).is_none(), "another's");
        assert!(store.find(&first.id, &one.id, Time(1060)).is_none(), "ended");
        order(&store, &two.id, Time(1060)).expect("room again");
        let later = Time(NOW.0 + ACCOUNT_SECONDS);
        store.open(key("c"), Vec::new(), None, later).expect("idle accounts are forgotten");
        assert!(store.account_of(&key("a")).is_none());
    }

    #[test]
    fn keys_change_and_are_never_shared() {
        let store = Store::new(2, 1, 1, 60);
        let one = store.open(key("a"), Vec::new(), None, NOW).expect("an account");
        let two = store.open(key("b"), Vec::new(), None, NOW).expect("an account");
        assert_eq!(store.change_key(&one.id, key("b")), Err(two.id));
        assert_eq!(store.change_key(&one.id, key("c")), Ok(()));
        assert!(store.account_of(&key("a")).is_none());
        assert_eq!(store.account_of(&key("c")).map(|account| account.id), Some(one.id));
    }
}
