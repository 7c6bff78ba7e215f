//! The simulated account: realistic users generated from a seed, and the changes that the service allows.

use std::collections::HashMap;

use fastrand::Rng;

use crate::names::{LANGUAGES, Order};

/// The e-mail domain of the simulated company.
const DOMAIN: &str = "example.com";
/// The alphabet of ids.
const BASE32: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The role of a user, as far as suspension depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Can be suspended.
    Member,
    /// Can be suspended if another owner is active.
    Owner,
    /// Externally managed: cannot be suspended.
    ExternallyManagedAdministrator,
}

/// One user, with the fields as the service sends them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// 26 letters and digits.
    pub id: String,
    /// Not unique.
    pub email: String,
    /// In any script.
    pub display_name: String,
    /// `ACTIVE`, `SUSPENDED` or `STATE_UNSPECIFIED`.
    pub state: String,
    /// RFC 3339.
    pub create_time: String,
    /// `accounts/<account>/users/<user>`.
    pub path: String,
    /// Not sent by the service.
    pub role: Role,
}

impl Person {
    /// An active member with this id and e-mail address, and a placeholder in every other field.
    #[must_use]
    pub fn new(id: &str, email: &str) -> Self {
        Self {
            id: id.into(),
            email: email.into(),
            display_name: "N. N.".into(),
            state: "ACTIVE".into(),
            create_time: "2024-01-01T00:00:00Z".into(),
            path: String::new(),
            role: Role::Member,
        }
    }
}

/// An account and its users, in the order in which they are listed.
#[derive(Debug, Clone)]
pub struct Account {
    id: String,
    people: Vec<Person>,
    by_id: HashMap<String, usize>,
}

/// Users of every generated account, so that every action can be tried.
const CAST: &[(&str, &str, &str, Role)] = &[
    ("Wendy Appleseed", "wendy.appleseed", "ACTIVE", Role::Member),
    ("Margaret Okafor", "margaret.okafor", "ACTIVE", Role::Owner),
    ("Tomás Herrera", "tomas.herrera", "SUSPENDED", Role::Member),
    ("Helpdesk, first shift", "helpdesk", "ACTIVE", Role::Member),
    ("Ines Provider", "ines.provider", "ACTIVE", Role::ExternallyManagedAdministrator),
    ("Helpdesk, second shift", "helpdesk", "ACTIVE", Role::Member),
    ("Mikael Provider", "mikael.provider", "ACTIVE", Role::ExternallyManagedAdministrator),
    ("佐藤 美咲", "misaki.sato", "STATE_UNSPECIFIED", Role::Member),
];

impl Account {
    /// An account without users. The service's own ids are 26 upper-case letters and digits.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), people: Vec::new(), by_id: HashMap::new() }
    }

    /// Generates an account with this many users. The first few are always the same, and the same seed gives the same account.
    #[must_use]
    pub fn generate(users: usize, seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let mut account = Self::new(id(&mut random));
        for (name, mailbox, state, role) in CAST.iter().take(users) {
            account.add(&mut random, (*name).into(), format!("{mailbox}@{DOMAIN}"), state, *role);
        }
        let mut namesakes: HashMap<String, u32> =
            CAST.iter().map(|(_, mailbox, ..)| ((*mailbox).to_owned(), 1)).collect();
        while account.people.len() < users {
            let (name, mailbox) = person(&mut random);
            let count = namesakes.entry(mailbox.clone()).and_modify(|count| *count += 1).or_insert(1);
            let number = if *count == 1 { String::new() } else { count.to_string() };
            let state = match random.u32(0..100) {
                0..=11 => "SUSPENDED",
                12 => "STATE_UNSPECIFIED",
                _ => "ACTIVE",
            };
            account.add(&mut random, name, format!("{mailbox}{number}@{DOMAIN}"), state, Role::Member);
        }
        account
    }

    fn add(&mut self, random: &mut Rng, display_name: String, email: String, state: &str, role: Role) {
        let mut id = id(random);
        while self.by_id.contains_key(&id) {
            id = self::id(random);
        }
        let (state, create_time, path) = (state.into(), time(random), String::new());
        self.insert(Person { id, email, display_name, state, create_time, path, role });
    }

    /// Adds a user at the end of the list, and sets its path if that is empty. A user with the same id is replaced in place and
    /// returned.
    pub fn insert(&mut self, mut person: Person) -> Option<Person> {
        if person.path.is_empty() {
            person.path = format!("accounts/{}/users/{}", self.id, person.id);
        }
        match self.person_mut(&person.id) {
            Some(same) => Some(std::mem::replace(same, person)),
            None => {
                self.by_id.insert(person.id.clone(), self.people.len());
                self.people.push(person);
                None
            }
        }
    }

    /// Adds a user with a new id at this index of the list, or at its end. Takes time linear in the users behind it.
    pub fn insert_at(&mut self, place: usize, person: Person) {
        let id = person.id.clone();
        self.insert(person);
        let (Some(from), place) = (self.by_id.get(&id).copied(), place.min(self.people.len().saturating_sub(1))) else {
            return;
        };
        let person = self.people.remove(from);
        self.people.insert(place, person);
        for (place, person) in self.people.iter().enumerate().skip(place.min(from)) {
            self.by_id.insert(person.id.clone(), place);
        }
    }

    /// Removes a user. Takes time linear in the users behind it.
    pub fn remove(&mut self, id: &str) -> Option<Person> {
        let place = self.by_id.remove(id)?;
        let removed = self.people.remove(place);
        for person in self.people.iter().skip(place) {
            if let Some(place) = self.by_id.get_mut(&person.id) {
                *place -= 1;
            }
        }
        Some(removed)
    }

    /// The account's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// All users, in the order in which they are listed.
    #[must_use]
    pub fn people(&self) -> &[Person] {
        &self.people
    }

    /// One user.
    #[must_use]
    pub fn person(&self, id: &str) -> Option<&Person> {
        self.people.get(*self.by_id.get(id)?)
    }

    /// One user, for a change that bypasses the service. The id must not change.
    pub fn person_mut(&mut self, id: &str) -> Option<&mut Person> {
        self.people.get_mut(*self.by_id.get(id)?)
    }

    /// The first user with this e-mail address.
    #[must_use]
    pub fn by_email(&self, email: &str) -> Option<&Person> {
        self.people.iter().find(|person| person.email == email)
    }

    /// Checks that the service would carry out this suspension or reactivation.
    ///
    /// # Errors
    ///
    /// The message for the last owner (verbatim from the service) or for an externally managed administrator (a guess).
    pub(crate) fn check_change(&self, person: &Person, state: &str) -> Result<(), &'static str> {
        if state != "SUSPENDED" || person.state == state {
            return Ok(());
        }
        match person.role {
            Role::Owner if self.active_owners() == 1 => Err("no_owner_remain"),
            Role::ExternallyManagedAdministrator => Err("user_externally_managed"),
            _ => Ok(()),
        }
    }

    /// Suspends or reactivates a user. `None` if there is no such user, or the service would refuse.
    pub(crate) fn change(&mut self, id: &str, state: &str) -> Option<&Person> {
        self.check_change(self.person(id)?, state).ok()?;
        let person = self.person_mut(id)?;
        state.clone_into(&mut person.state);
        Some(person)
    }

    fn active_owners(&self) -> usize {
        self.people.iter().filter(|person| person.role == Role::Owner && person.state == "ACTIVE").count()
    }
}

/// An id: 26 letters and digits.
pub(crate) fn id(random: &mut Rng) -> String {
    (0..26).map(|_| char::from(*random.choice(BASE32).unwrap_or(&b'A'))).collect()
}

/// A name, and the local part of its e-mail address. A few local parts are in the script of the name.
fn person(random: &mut Rng) -> (String, String) {
    // The first language gets twice the share of each other.
    let language = random.usize(0..=LANGUAGES.len()).saturating_sub(1);
    let pick = |random: &mut Rng, names: &[(&'static str, &'static str)]| random.choice(names.iter().copied());
    let found = LANGUAGES
        .get(language)
        .and_then(|names| Some((names, pick(random, names.given)?, pick(random, names.family)?)));
    let Some((names, given, family)) = found else { return ("Nobody".into(), "nobody".into()) };
    let name = match names.order {
        Order::GivenFirst => format!("{} {}", given.0, family.0),
        Order::FamilyFirst { space } => format!("{}{space}{}", family.0, given.0),
    };
    let mailbox = if random.u32(0..50) == 0 {
        format!("{}.{}", given.0.to_lowercase(), family.0.to_lowercase().replace('’', ""))
    } else {
        format!("{}.{}", given.1, family.1)
    };
    (name, mailbox)
}

/// A time from 2017 to 2025, in RFC 3339.
fn time(random: &mut Rng) -> String {
    format!(
        "{}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        random.u32(2017..=2025),
        random.u32(1..=12),
        random.u32(1..=28),
        random.u32(0..24),
        random.u32(0..60),
        random.u32(0..60),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_determines_the_account() {
        let (a, b, c) = (Account::generate(500, 1), Account::generate(500, 1), Account::generate(500, 2));
        let ids = |account: &Account| account.people().iter().map(|person| person.id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&a), ids(&b));
        assert_ne!(ids(&a), ids(&c));
        assert_eq!(a.people().len(), 500);
        assert_eq!(Account::generate(3, 1).people().len(), 3);
    }

    #[test]
    fn a_generated_account_covers_every_case() {
        let account = Account::generate(2500, 1);
        let count = |is: &dyn Fn(&Person) -> bool| account.people().iter().filter(|person| is(person)).count();
        let emails: std::collections::HashSet<&str> =
            account.people().iter().map(|person| person.email.as_str()).collect();
        assert_eq!(emails.len(), 2499, "two users share one address");
        assert_eq!(count(&|person| person.email == "helpdesk@example.com"), 2);
        assert_eq!(count(&|person| person.role == Role::Owner && person.state == "ACTIVE"), 1);
        assert_eq!(count(&|person| person.role == Role::ExternallyManagedAdministrator), 2);
        assert!(count(&|person| person.state == "SUSPENDED") > 200);
        assert!(count(&|person| person.state == "STATE_UNSPECIFIED") > 10);
        assert!(count(&|person| !person.email.is_ascii()) > 10);
        assert!(count(&|person| !person.display_name.is_ascii()) > 1000);
        assert_eq!(account.id().len(), 26);
    }

    #[test]
    fn users_can_be_inserted_replaced_and_removed() {
        let mut account = Account::new("A");
        for id in ["X", "Y", "Z"] {
            assert_eq!(account.insert(Person::new(id, "shared@example.com")), None);
        }
        assert_eq!(account.person("Y").map(|person| person.path.as_str()), Some("accounts/A/users/Y"));
        let replaced = account.insert(Person { state: "LOCKED".into(), ..Person::new("X", "x@example.com") });
        assert_eq!(replaced.map(|person| person.email), Some("shared@example.com".into()));
        assert_eq!(account.remove("Y").map(|person| person.id), Some("Y".into()));
        assert_eq!(account.remove("Y"), None);
        let people: Vec<_> =
            account.people().iter().map(|person| (person.id.as_str(), person.state.as_str())).collect();
        assert_eq!(people, [("X", "LOCKED"), ("Z", "ACTIVE")]);
        for person in account.people() {
            assert_eq!(account.person(&person.id), Some(person), "the index by id is up to date");
        }
    }
}
