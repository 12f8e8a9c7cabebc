import type { Comparable } from '../db/lead-likeness.ts'
import { randomFrom } from './random.ts'

// Leads with the truth about them: which are the same person or company, and which only look like it. Made from a seed, so
// that every run sees the same; the names are put together at random and mean nobody.

/** A pair of leads, whether they are one, and what was done to them. */
export type LabelledPair = { one: LabelledLead; other: LabelledLead; same: boolean; how: string }

/** A lead as a door brings it; the same `entity` is the same person or company. */
export type LabelledLead = Comparable & { entity: number; external_id?: string }

/** How the leads come about: `office` types from cards and forms, `field` copies lists, cut, turned and badly read. */
export type NoiseModel = 'office' | 'field'

const list = (text: string): string[] => text.trim().split(/\s+/)

/** Each model has names of its own, so that what is tuned on one is not known to the other. */
const POOLS = {
  office: {
    given: list(
      'James Robert William Elizabeth Katherine Margaret Thomas Andrew Susan Deborah Anna Johannes Wolfgang Franziska Sebastian Katharina Jürgen Björn Renate Heinrich José Francisco Guadalupe Concepción Javier Lucía François Geneviève Édouard Hélène Giuseppe Francesca Małgorzata Łukasz Søren Åsa Mehmet Ayşe Alexander Victoria Christopher Benjamin Stephanie Matthias Ulrike Tobias Lilian Marcella Odette Ruben Sverre Ylva Noor',
    ),
    family: list(
      'Smith Johnson Miller Müller Schmidt Schneider Fischer Weber García Martínez Rodríguez López Martin Bernard Dubois Rossi Russo Kowalski Nowak Hansen Andersson Yılmaz Ashworth Birtwhistle Carradine Dunwoody Featherstone Garrick Holloway Ingersoll Jessop Kettlewell Loxley Messerschmitt Niedermayer Obermüller Pfefferkorn Quandt Rosenbusch Steinbrück Tannhäuser Vogelsang Wackernagel Zellweger Arriaga Belmonte Cienfuegos Delacroix Etxeberria Fontanarosa Giordanelli Hjelmqvist Jørgensen Krzyżanowski Lindqvist Montalbán Núñez Olufsen Peñalver Rautenberg Sjöström Thibodeaux Uribarri Villeneuve Wojciechowski Zawadzki',
    ),
    company: list(
      'Brightside Harbour Northwind Larch Quarry Tidewater Finch Alder Beacon Cobalt Drift Ember Falcon Garnet Hollow Indigo Juniper Kestrel Lumen Meridian Nimbus Onyx Pinnacle Quill Rowan Sable Thistle Umbra Verdant Willow Zephyr Krone Lindenhof Morgenrot Nordlicht Ostwind Rheingold Sonnenhof Waldblick',
    ),
    trade: list(
      'Coffee Logistics Software Consulting Bau Energie Medien Foods Systems Textiles Optics Robotics Papers Tools',
    ),
    city: list(
      'Berlin Hamburg London Paris Madrid Milano Bamberg Göttingen Chester Avignon Girona Parma Lund Toruń Passau Exeter Nîmes Burgos Lucca Växjö',
    ),
    home: ['gmail.com', 'outlook.com', 'gmx.de', 'yahoo.com', 'web.de'],
  },
  field: {
    given: list(
      'Daniel Michael Jessica Nicholas Samantha Joshua Rebecca Anthony Patricia Edward Charlotte Frederick Pieter Willem Saskia Joost Annelies João Mariana Thiago Beatriz Rajesh Priyanka Suresh Lakshmi Ondřej Zdeněk Božena László Zsófia Ágnes Siobhán Padraig Aoife Dmitri Natalia Sergei Ekaterina Hiroshi Yuki Mohammed Fatima Theodora Leopold Cordelia Ignatius Perpetua Zacharias',
    ),
    family: list(
      'Jones Williams Brown Davies Taylor Wilson Evans deVries vandenBerg Bakker Jansen Visser Silva Santos Oliveira Pereira Patel Sharma Singh Kumar Novák Svoboda Nagy Szabó Murphy Kelly Sullivan Ivanov Petrov Tanaka Suzuki Ahmed Khan Abernathy Blackadder Cholmondeley Drinkwater Entwistle Fothergill Goldsworthy Hathersage Islington Kinnersley Lethbridge Mompesson Netherfield Ollerenshaw Pemberton Quartermaine Ramsbottom Satterthwaite Thistlethwaite Underhill Vavasour Wigglesworth Oosterhuis Kloosterman Hoogendoorn Brouwershaven Figueiredo Albuquerque Cavalcanti Subramaniam Venkataraman Chatterjee Dvořáček Horáčková Kovácsová Ó-Briain MacGiollaBhríde',
    ),
    company: list(
      'Acorn Bramble Cinder Dovetail Everglen Foxglove Granite Hearth Ironwood Jasper Keystone Lantern Mosaic Nectar Orchard Pebble Quarto Ripple Saffron Tamarind Upland Vellum Wicker Yarrow Zenith Molenaar Duinzicht Zonnebloem Aurora Horizonte Primavera Himalaya Ganges Vltava',
    ),
    trade: list(
      'Roasters Freight Apps Advisory Builders Power Press Bakery Devices Fabrics Lenses Motors Print Supply',
    ),
    city: list(
      'Manchester Utrecht Lisboa Mumbai Praha Budapest Dublin Tokyo Leiden Coimbra Mysore Olomouc Szeged Kilkenny Nara Delft Braga Jaipur Plzeň Sligo',
    ),
    home: ['gmail.com', 'hotmail.com', 'icloud.com', 'proton.me', 'live.com'],
  },
}

const NICKNAMES: Record<string, string[]> = {
  James: ['Jim', 'Jimmy'],
  Robert: ['Bob', 'Rob', 'Bobby'],
  William: ['Bill', 'Will', 'Billy'],
  Elizabeth: ['Liz', 'Beth', 'Betty'],
  Katherine: ['Kate', 'Kathy', 'Katie'],
  Margaret: ['Maggie', 'Peggy', 'Meg'],
  Thomas: ['Tom', 'Tommy'],
  Andrew: ['Andy', 'Drew'],
  Susan: ['Sue', 'Susie'],
  Deborah: ['Deb', 'Debbie'],
  Johannes: ['Hannes', 'Hans'],
  Wolfgang: ['Wolf'],
  Franziska: ['Franzi'],
  Sebastian: ['Basti', 'Seb'],
  Katharina: ['Kathi', 'Käthe'],
  José: ['Pepe'],
  Francisco: ['Paco', 'Pancho'],
  Giuseppe: ['Beppe', 'Pino'],
  Małgorzata: ['Gosia'],
  Alexander: ['Alex', 'Sascha'],
  Victoria: ['Vicky', 'Tori'],
  Christopher: ['Chris'],
  Benjamin: ['Ben'],
  Stephanie: ['Steffi', 'Steph'],
  Matthias: ['Matze', 'Matt'],
  Ulrike: ['Uli'],
  Tobias: ['Tobi'],
  Daniel: ['Dan', 'Danny'],
  Michael: ['Mike', 'Mick'],
  Jessica: ['Jess'],
  Nicholas: ['Nick', 'Nicky'],
  Samantha: ['Sam'],
  Joshua: ['Josh'],
  Rebecca: ['Becky', 'Becca'],
  Anthony: ['Tony'],
  Patricia: ['Pat', 'Trish'],
  Edward: ['Ed', 'Ted', 'Eddie'],
  Charlotte: ['Lottie', 'Charlie'],
  Frederick: ['Fred', 'Freddy'],
  Willem: ['Wim'],
  Padraig: ['Paddy'],
  Dmitri: ['Dima'],
  Natalia: ['Natasha'],
  Ekaterina: ['Katya'],
  Theodora: ['Dora', 'Theo'],
  Zacharias: ['Zack'],
}

const FORMS = [
  'GmbH',
  'Inc',
  'Inc.',
  'Ltd',
  'Limited',
  'LLC',
  'AG',
  'SARL',
  'B.V.',
  'S.L.',
  'GmbH & Co. KG',
  'Corp.',
]
const SAME_FORM: Record<string, string[]> = {
  Inc: ['Inc.', 'Incorporated'],
  'Inc.': ['Inc'],
  Ltd: ['Limited', 'Ltd.'],
  Limited: ['Ltd'],
  'GmbH & Co. KG': ['GmbH'],
  'B.V.': ['BV'],
  'S.L.': ['SL'],
  'Corp.': ['Corporation'],
}
const TITLES = [
  'Head of Purchasing',
  'Managing Director',
  'CTO',
  'Office Manager',
  'Buyer',
  'Marketing Lead',
  'Head of Operations',
  'Founder',
]

/** Makes labelled pairs: two thirds of them the same person or company after noise, a third that only looks like it. */
export const labelledPairs = (seed: number, model: NoiseModel, size: number): LabelledPair[] => {
  const random = randomFrom(seed)
  const pool = POOLS[model]
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!
  const chance = (share: number): boolean => random() < share
  const digits = (length: number): string => Array.from({ length }, () => Math.floor(random() * 10)).join('')
  const plain = (text: string): string =>
    text
      .normalize('NFKD')
      .replaceAll(/\p{M}/gu, '')
      .replaceAll('ł', 'l')
      .replaceAll('ø', 'o')
      .replaceAll('ı', 'i')
      .replaceAll(/[^A-Za-z0-9]/g, '')
      .toLowerCase()
  let entities = 0

  type Person = {
    given: string
    family: string
    company: string
    form: string
    domain: string
    phone: string
    mobile: string
    city: string
    title: string
    handle: string
  }

  const makeCompany = (): Pick<Person, 'company' | 'form' | 'domain'> => {
    const company = `${pick(pool.company)} ${pick(pool.trade)}${chance(0.3) ? ` ${pick(pool.company)}` : ''}`
    return {
      company,
      form: pick(FORMS),
      domain: `${plain(company)}.${pick(['example', 'com', 'de', 'net'])}`,
    }
  }
  const phone = (): string =>
    `+${pick(['49', '44', '33', '34', '1'])}${1 + Math.floor(random() * 9)}${digits(8)}`
  const makePerson = (given: Partial<Person> = {}): Person => ({
    given: pick(pool.given),
    family: chance(0.12) ? `${pick(pool.family)}-${pick(pool.family)}` : pick(pool.family),
    ...makeCompany(),
    phone: phone(),
    mobile: phone(),
    city: pick(pool.city),
    title: pick(TITLES),
    handle: `${pick(['sunny', 'blue', 'rock', 'mountain', 'green', 'lucky'])}${pick(['tiger', 'rider', 'star', 'moon', 'fox'])}${digits(2)}`,
    ...given,
  })
  const office = ({ given, family, domain }: Person): string => {
    const [first, last] = [plain(given), plain(family)]
    return `${pick([`${first}.${last}`, `${first[0]}.${last}`, first, `${first[0]}${last}`])}@${domain}`
  }
  const home = ({ given, family, handle }: Person): string =>
    `${chance(0.3) ? handle : `${plain(given)}.${plain(family)}${chance(0.2) ? digits(2) : ''}`}@${pick(pool.home)}`

  /** How complete a record is depends on who typed it. */
  const keep = model === 'office' ? 0.8 : 0.65
  const toLead = (entity: number, person: Person, how: { work: boolean }): LabelledLead => ({
    entity,
    contact_name: `${person.given} ${person.family}`,
    email: chance(keep) ? (how.work ? office(person) : home(person)) : null,
    phone: chance(keep) ? (how.work ? person.phone : person.mobile) : null,
    company_name: chance(how.work ? 0.95 : keep)
      ? `${person.company}${chance(0.6) ? ` ${person.form}` : ''}`
      : null,
    website: chance(keep * 0.5) ? `https://www.${person.domain}` : null,
    city: chance(keep) ? person.city : null,
    title: chance(keep * 0.6) ? person.title : null,
  })

  const slip = (text: string): string => {
    if (text.length < 4) return text
    const at = 1 + Math.floor(random() * (text.length - 2))
    const letter = 'abcdefghijklmnopqrstuvwxyz'[Math.floor(random() * 26)]!
    const kind = random()
    if (kind < 0.25) return text.slice(0, at) + text.slice(at + 1)
    if (kind < 0.5) return text.slice(0, at) + letter + text.slice(at)
    if (kind < 0.75) return text.slice(0, at) + letter + text.slice(at + 1)
    return text.slice(0, at) + text[at + 1]! + text[at]! + text.slice(at + 2)
  }
  const unaccented = (text: string): string =>
    text
      .replaceAll('ü', chance(0.5) ? 'ue' : 'u')
      .replaceAll('ö', chance(0.5) ? 'oe' : 'o')
      .replaceAll('ä', chance(0.5) ? 'ae' : 'a')
      .replaceAll('ø', 'o')
      .replaceAll('ł', 'l')
      .replaceAll('ı', 'i')
      .replaceAll('Ł', 'L')
      .normalize('NFKD')
      .replaceAll(/\p{M}/gu, '')

  /** The same person once more, as another form, card or list has it. */
  const NAME_NOISE: [share: number, how: string, make: (person: Person) => string][] = [
    [0.22, 'same name', ({ given, family }) => `${given} ${family}`],
    [0.16, 'accents', ({ given, family }) => unaccented(`${given} ${family}`)],
    [0.14, 'slip in the surname', ({ given, family }) => `${given} ${slip(family)}`],
    [0.06, 'slip in the first name', ({ given, family }) => `${slip(given)} ${family}`],
    [0.16, 'nickname', ({ given, family }) => `${pick(NICKNAMES[given] ?? [given])} ${family}`],
    [0.08, 'turned', ({ given, family }) => (chance(0.6) ? `${family}, ${given}` : `${family} ${given}`)],
    [0.06, 'initial', ({ given, family }) => `${given[0]}. ${family}`],
    [
      0.05,
      'title',
      ({ given, family }) => `${pick(['Dr.', 'Mr', 'Ms', 'Prof.', 'Herr', 'Frau'])} ${given} ${family}`,
    ],
    [0.04, 'middle name', ({ given, family }) => `${given} ${pick(pool.given)[0]}. ${family}`],
    [0.03, 'case', ({ given, family }) => `${given} ${family}`.toUpperCase()],
  ]
  const COMPANY_NOISE: ((person: Person) => string)[] = [
    ({ company, form }) => `${company} ${form}`,
    ({ company, form }) => `${company} ${pick(SAME_FORM[form] ?? [form])}`,
    ({ company }) => company,
    ({ company }) => company.toUpperCase(),
    ({ company }) => slip(company),
    ({ company }) => company.split(' ')[0]!,
    ({ company, form }) => `The ${company} ${form}`,
  ]

  const again = (
    entity: number,
    person: Person,
    first: LabelledLead,
  ): { lead: LabelledLead; how: string } => {
    let roll = random()
    const [, how, name] = NAME_NOISE.find(([share]) => (roll -= share) < 0) ?? NAME_NOISE[0]!
    const lead: LabelledLead = {
      ...toLead(entity, person, { work: chance(0.6) }),
      contact_name: name(person),
    }
    if (lead.company_name) lead.company_name = pick(COMPANY_NOISE)(person)
    const noises = [how]
    if (first.email && chance(0.3)) {
      const [local = '', domain = ''] = first.email.split('@')
      lead.email = chance(0.7)
        ? `${slip(local)}@${domain}`
        : `${local}@${pick([slip(domain.split('.')[0]!), domain.split('.')[0]!])}.${pick(['com', 'net', 'co'])}`
      noises.push('slip in the e-mail')
    }
    if (first.phone && chance(model === 'office' ? 0.25 : 0.3)) {
      const at = 4 + Math.floor(random() * (first.phone.length - 5))
      lead.phone = chance(0.5)
        ? first.phone.slice(0, at) +
          String((Number(first.phone[at]) + 1 + Math.floor(random() * 8)) % 10) +
          first.phone.slice(at + 1)
        : first.phone.slice(0, at - 1) + first.phone[at]! + first.phone[at - 1]! + first.phone.slice(at + 1)
      noises.push('slip in the number')
    }
    if (lead.city && chance(0.1)) lead.city = slip(lead.city)
    if (model === 'field' && chance(0.15)) lead.contact_name = slip(lead.contact_name!)
    // Something to go by beside the name is there, or nobody could tell.
    if (!lead.email && !lead.phone && !lead.company_name) lead.company_name = person.company
    return { lead, how: noises.join(', ') }
  }

  const samePerson = (): LabelledPair => {
    const person = makePerson()
    const entity = (entities += 1)
    const one = toLead(entity, person, { work: chance(0.7) })
    const { lead, how } = again(entity, person, one)
    return { one, other: lead, same: true, how }
  }
  const sameCompany = (): LabelledPair => {
    const { company, form, domain, city, phone } = makePerson()
    const entity = (entities += 1)
    const of = (name: string): LabelledLead => ({
      entity,
      company_name: name,
      city: chance(keep) ? city : null,
      phone: chance(0.3) ? phone : null,
      website: chance(0.3) ? `https://${domain}` : null,
    })
    return {
      one: of(`${company} ${form}`),
      other: of(
        pick([
          company,
          `${company} ${pick(SAME_FORM[form] ?? [form])}`,
          slip(company),
          company.toUpperCase(),
          `The ${company}`,
        ]),
      ),
      same: true,
      how: 'company alone',
    }
  }

  const work = (person: Person): LabelledLead => toLead((entities += 1), person, { work: true })
  const full = (person: Person): LabelledLead => ({
    ...work(person),
    email: office(person),
    company_name: `${person.company} ${person.form}`,
  })
  const OTHERS: [how: string, make: () => [LabelledLead, LabelledLead]][] = [
    [
      'same surname, same company',
      () => {
        const person = makePerson()
        return [
          full(person),
          full({
            ...makePerson(),
            company: person.company,
            form: person.form,
            domain: person.domain,
            family: person.family,
            given: otherGiven(person.given),
            city: person.city,
          }),
        ]
      },
    ],
    [
      'same first name, same company',
      () => {
        const person = makePerson()
        return [
          full(person),
          full({
            ...makePerson(),
            company: person.company,
            form: person.form,
            domain: person.domain,
            given: person.given,
            family: otherFamily(person.family),
            city: person.city,
          }),
        ]
      },
    ],
    [
      'colleagues with one telephone',
      () => {
        const person = makePerson()
        const other = {
          ...makePerson(),
          company: person.company,
          form: person.form,
          domain: person.domain,
          phone: person.phone,
          city: person.city,
        }
        return [
          { ...full(person), phone: person.phone },
          {
            ...full({ ...other, given: otherGiven(person.given), family: otherFamily(person.family) }),
            phone: person.phone,
          },
        ]
      },
    ],
    [
      'colleagues behind one mailbox',
      () => {
        const person = makePerson()
        const other = {
          ...makePerson(),
          company: person.company,
          form: person.form,
          domain: person.domain,
          given: otherGiven(person.given),
          family: otherFamily(person.family),
          city: person.city,
        }
        const email = `${pick(['info', 'office', 'sales', 'kontakt'])}@${person.domain}`
        return [
          { ...full(person), email },
          { ...full(other), email },
        ]
      },
    ],
    [
      'namesakes with a common name',
      () => {
        const name = {
          given: pick(['Thomas', 'Anna', 'Michael', 'Maria', 'Daniel']),
          family: pick(
            model === 'office'
              ? ['Müller', 'Smith', 'García', 'Schmidt']
              : ['Jones', 'Patel', 'Silva', 'Brown'],
          ),
        }
        return [work(makePerson(name)), work(makePerson(name))]
      },
    ],
    [
      'namesakes in one big city',
      () => {
        const name = {
          given: pick(['Thomas', 'Anna', 'Michael', 'Maria']),
          family: pick(model === 'office' ? ['Weber', 'Johnson'] : ['Wilson', 'Kumar']),
          city: model === 'office' ? 'Berlin' : 'Mumbai',
        }
        return [work(makePerson(name)), work(makePerson(name))]
      },
    ],
    [
      'father and son',
      () => {
        const person = makePerson()
        const son = { ...person, mobile: phone(), title: pick(TITLES) }
        const one = full(person)
        return [
          one,
          {
            ...full(son),
            entity: (entities += 1),
            contact_name: `${person.given} ${person.family} ${pick(['jun.', 'Jr.', 'junior'])}`,
            email: `${plain(person.given)}.${plain(person.family)}.jun@${person.domain}`,
            phone: chance(0.5) ? one.phone! : son.mobile,
          },
        ]
      },
    ],
    [
      'siblings at home',
      () => {
        const person = makePerson()
        const other = {
          ...makePerson(),
          given: otherGiven(person.given),
          family: person.family,
          city: person.city,
        }
        return [
          toLead((entities += 1), person, { work: false }),
          toLead((entities += 1), other, { work: false }),
        ]
      },
    ],
    [
      'branches of a chain',
      () => {
        const person = makePerson()
        const [here, there] = [pool.city[0]!, pool.city[1]!]
        const branch = (city: string): LabelledLead => ({
          entity: (entities += 1),
          company_name: chance(0.5) ? `${person.company} ${city}` : person.company,
          city,
          phone: phone(),
          email: `${plain(city)}@${person.domain}`,
        })
        return [branch(here), branch(there)]
      },
    ],
    [
      'two trades of one word',
      () => {
        const word = pick(pool.company)
        const of = (n: number): LabelledLead => ({
          entity: (entities += 1),
          company_name: `${word} ${pool.trade[n]!} ${pick(FORMS)}`,
          city: pick(pool.city),
        })
        return [of(0), of(5)]
      },
    ],
    [
      'boy’s and girl’s name',
      () => {
        const person = makePerson()
        const [given, other] = pick([
          ['Andrea', 'Andreas'],
          ['Martin', 'Martina'],
          ['Daniel', 'Daniela'],
          ['Simon', 'Simone'],
          ['Jan', 'Jana'],
          ['Christian', 'Christina'],
          ['Anna', 'Hanna'],
        ] as const)
        return [
          full({ ...person, given }),
          full({
            ...makePerson(),
            company: person.company,
            form: person.form,
            domain: person.domain,
            family: person.family,
            given: other,
            city: person.city,
          }),
        ]
      },
    ],
    ['strangers', () => [work(makePerson()), work(makePerson())]],
  ]
  const otherGiven = (given: string): string => {
    for (;;) {
      const other = pick(pool.given)
      if (other[0] !== given[0]) return other
    }
  }
  const otherFamily = (family: string): string => {
    for (;;) {
      const other = pick(pool.family)
      if (!family.includes(other)) return other
    }
  }

  return Array.from({ length: size }, (_, n): LabelledPair => {
    if (n % 3 === 2) {
      const [how, make] = OTHERS[Math.floor(n / 3) % OTHERS.length]!
      const [one, other] = make()
      // A company gives no address twice, unless it is everybody's.
      if (one.email && one.email === other.email && !how.includes('mailbox'))
        other.email = other.email.replace('@', '2@')
      return { one, other, same: false, how }
    }
    return n % 12 === 0 ? sameCompany() : samePerson()
  })
}
