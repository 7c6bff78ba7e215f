//! Names of people in several scripts, with the Latin spelling for their e-mail addresses.

/// The names of one language: given names, family names, and their order.
pub(crate) struct Names {
    pub(crate) given: &'static [(&'static str, &'static str)],
    pub(crate) family: &'static [(&'static str, &'static str)],
    /// The family name comes first, without a space where the script has none.
    pub(crate) order: Order,
}

pub(crate) enum Order {
    GivenFirst,
    FamilyFirst { space: &'static str },
}

pub(crate) const LANGUAGES: &[Names] = &[
    Names {
        given: &[
            ("Amelia", "amelia"),
            ("Daniel", "daniel"),
            ("Grace", "grace"),
            ("Harold", "harold"),
            ("Imogen", "imogen"),
            ("Jerome", "jerome"),
            ("Keisha", "keisha"),
            ("Lucas", "lucas"),
            ("Naomi", "naomi"),
            ("Patrick", "patrick"),
        ],
        family: &[
            ("Abbott", "abbott"),
            ("Baptiste", "baptiste"),
            ("Chambers", "chambers"),
            ("Doyle", "doyle"),
            ("Ellison", "ellison"),
            ("O’Brien", "obrien"),
            ("Osei", "osei"),
            ("Pemberton", "pemberton"),
            ("Whitlock", "whitlock"),
            ("Young", "young"),
        ],
        order: Order::GivenFirst,
    },
    Names {
        given: &[
            ("Jürgen", "juergen"),
            ("Käthe", "kaethe"),
            ("Lukas", "lukas"),
            ("Anneliese", "anneliese"),
            ("Björn", "bjoern"),
            ("Sören", "soeren"),
            ("Žofie", "zofie"),
            ("Łukasz", "lukasz"),
        ],
        family: &[
            ("Groß", "gross"),
            ("Müller", "mueller"),
            ("Schröder", "schroeder"),
            ("Nowák", "nowak"),
            ("Wójcik", "wojcik"),
            ("Åkesson", "akesson"),
            ("Ødegård", "odegard"),
            ("Weiß", "weiss"),
        ],
        order: Order::GivenFirst,
    },
    Names {
        given: &[
            ("José", "jose"),
            ("Inés", "ines"),
            ("Tomás", "tomas"),
            ("Conceição", "conceicao"),
            ("François", "francois"),
            ("Élodie", "elodie"),
            ("Nicolò", "nicolo"),
            ("Begoña", "begona"),
        ],
        family: &[
            ("Núñez", "nunez"),
            ("Herrera", "herrera"),
            ("Gonçalves", "goncalves"),
            ("Lefèvre", "lefevre"),
            ("D’Angelo", "dangelo"),
            ("Ibáñez", "ibanez"),
            ("Araújo", "araujo"),
            ("Bélanger", "belanger"),
        ],
        order: Order::GivenFirst,
    },
    Names {
        given: &[
            ("Ольга", "olga"),
            ("Дмитро", "dmytro"),
            ("Светлана", "svetlana"),
            ("Андрій", "andriy"),
            ("Милица", "milica"),
            ("Георги", "georgi"),
        ],
        family: &[
            ("Коваленко", "kovalenko"),
            ("Петрова", "petrova"),
            ("Шевчук", "shevchuk"),
            ("Јовановић", "jovanovic"),
            ("Димитров", "dimitrov"),
            ("Бондаренко", "bondarenko"),
        ],
        order: Order::GivenFirst,
    },
    Names {
        given: &[("Ελένη", "eleni"), ("Γιώργος", "giorgos"), ("Κατερίνα", "katerina"), ("Νίκος", "nikos")],
        family: &[
            ("Παπαδόπουλος", "papadopoulos"),
            ("Οικονόμου", "oikonomou"),
            ("Βλάχος", "vlachos"),
            ("Δημητρίου", "dimitriou"),
        ],
        order: Order::GivenFirst,
    },
    Names {
        given: &[("فاطمة", "fatima"), ("يوسف", "youssef"), ("ليلى", "layla"), ("عمر", "omar"), ("نور", "nour")],
        family: &[
            ("حداد", "haddad"),
            ("الخطيب", "alkhatib"),
            ("منصور", "mansour"),
            ("العلي", "alali"),
            ("سليمان", "suleiman"),
        ],
        order: Order::GivenFirst,
    },
    Names {
        given: &[("נועה", "noa"), ("איתן", "eitan"), ("מיכל", "michal"), ("דוד", "david")],
        family: &[("כהן", "cohen"), ("לוי", "levy"), ("מזרחי", "mizrahi"), ("פרידמן", "friedman")],
        order: Order::GivenFirst,
    },
    Names {
        given: &[("प्रिया", "priya"), ("अर्जुन", "arjun"), ("कविता", "kavita"), ("राहुल", "rahul"), ("मीरा", "meera")],
        family: &[("शर्मा", "sharma"), ("पटेल", "patel"), ("वर्मा", "verma"), ("जोशी", "joshi"), ("सिंह", "singh")],
        order: Order::GivenFirst,
    },
    Names {
        given: &[("สมชาย", "somchai"), ("มาลี", "malee"), ("ณัฐ", "nat")],
        family: &[("ศรีสุข", "srisuk"), ("ทองดี", "thongdee"), ("วงศ์ใหญ่", "wongyai")],
        order: Order::GivenFirst,
    },
    Names {
        given: &[("秀英", "xiuying"), ("伟", "wei"), ("芳", "fang"), ("志明", "zhiming"), ("美玲", "meiling")],
        family: &[("王", "wang"), ("李", "li"), ("陈", "chen"), ("张", "zhang"), ("欧阳", "ouyang")],
        order: Order::FamilyFirst { space: "" },
    },
    Names {
        given: &[("美咲", "misaki"), ("健太", "kenta"), ("さくら", "sakura"), ("大輔", "daisuke")],
        family: &[("佐藤", "sato"), ("鈴木", "suzuki"), ("高橋", "takahashi"), ("小林", "kobayashi")],
        order: Order::FamilyFirst { space: " " },
    },
    Names {
        given: &[("지우", "jiwoo"), ("민준", "minjun"), ("서연", "seoyeon"), ("하준", "hajun")],
        family: &[("김", "kim"), ("이", "lee"), ("박", "park"), ("최", "choi")],
        order: Order::FamilyFirst { space: "" },
    },
];
