import { plainText } from './plain-text.ts'
import type { Fact } from './site-fact.ts'
import type { SitePage } from './site-page.ts'

/**
 * Names the industry a site is about by counting distinct known words, those in title, description and headings three times;
 * the snippet lists the words that decided. Nothing when fewer than two words point one way. `types` are schema.org types.
 */
export const recognizeIndustry = (pages: SitePage[], types: string[]): Fact | undefined => {
  const start = pages[0]
  if (!start) return undefined
  const prominent = pages.map(({ $, title }) =>
    [
      title,
      $('meta[name="description" i]').attr('content') ?? '',
      ...$('h1, h2, h3')
        .slice(0, 30)
        .toArray()
        .map((heading) => $(heading).text()),
    ].join('\n'),
  )
  const [head, body] = [
    fold(prominent.join('\n')),
    fold(
      pages
        .map((page) => page.main)
        .join('\n')
        .slice(0, 60_000),
    ),
  ]
  const scores = INDUSTRIES.map(({ name, types: own_types, pattern }) => {
    const in_head = new Set([...head.matchAll(pattern)].map(([word]) => word))
    const in_body = new Set([...body.matchAll(pattern)].map(([word]) => word))
    const declared = types.find((type) => own_types.test(type))
    const found = new Set([...in_head, ...in_body])
    return {
      name,
      declared,
      words: [...found],
      score: in_head.size * 3 + in_body.size + (declared === undefined ? 0 : 6),
    }
  }).toSorted((a, b) => b.score - a.score)
  const [best, next] = scores
  if (
    !best ||
    (best.declared === undefined && best.words.length < 2) ||
    best.score < 4 ||
    best.score === next?.score
  )
    return undefined
  const words = best.words.slice(0, 6)
  const evidence = [
    best.declared === undefined ? '' : `schema.org type ${best.declared}`,
    words.length === 0 ? '' : `words on the site: ${words.join(', ')}`,
  ]
  return {
    key: 'industry',
    value: best.name,
    source_url: pageWith(pages, words[0]).url,
    snippet: plainText(evidence.filter(Boolean).join('; ')),
  }
}

const pageWith = (pages: SitePage[], word: string | undefined): SitePage => {
  const page =
    word === undefined
      ? undefined
      : pages.find((candidate) => fold(candidate.title + candidate.text).includes(word))
  return page ?? (pages[0] as SitePage)
}

const fold = (text: string): string => text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase()

type Industry = { name: string; types: RegExp; pattern: RegExp }

// Words are folded (no accents, lower case); `*` lets a word go on: `roast*` is roasting, roastery, roasters.
const industry = (name: string, types: RegExp, words: string): Industry => ({
  name,
  types,
  pattern: new RegExp(
    `(?<![\\p{L}\\p{N}])(?:${words
      .trim()
      .split(/\s+/)
      .map((word) => word.replaceAll('_', '[- ]').replace(/\*$/, '\\p{L}{0,12}'))
      .join('|')})(?![\\p{L}\\p{N}])`,
    'gu',
  ),
})

const NONE = /$^/

const INDUSTRIES: Industry[] = [
  industry(
    'Food and beverage',
    /Cafe|Coffee|Bakery|Brewery|Winery|Food|IceCream|Distillery/,
    'coffee kaffee* cafe cafes roast* espresso barista bakery backerei boulangerie panaderia brewery brauerei brasserie winery weingut wine wein vin vino* beer bier food_products gourmet chocolat* tea tee feinkost lebensmittel* delicatessen organic_food catering beverage* getranke*',
  ),
  industry(
    'Restaurants and hospitality',
    /Restaurant|Bar|Hotel|Motel|Lodging|Resort|Hostel|BedAndBreakfast/,
    'restaurant* hotel* hostel gasthaus gasthof pension speisekarte reservierung* tischreservierung zimmer rooms suites guests gaste bed_and_breakfast habitaciones chambres menu_du_jour chef cuisine dining bistro trattoria',
  ),
  industry(
    'Retail and e-commerce',
    /Store|Shop$/,
    'online_shop onlineshop webshop online_store add_to_cart warenkorb free_shipping versandkostenfrei boutique retailer einzelhandel tienda* magasin* checkout bestseller* gift_card* gutschein*',
  ),
  industry(
    'Software and IT',
    /Software|Computer/,
    'software saas platform api cloud devops app apps developer* entwickler* it_services it_dienstleist* integration* dashboard workflow* open_source logiciel* cybersecurity data_platform machine_learning automatisierung automation',
  ),
  industry(
    'Marketing and advertising',
    NONE,
    'marketing* seo advertising werbeagentur agentur agency branding campaign* kampagne* social_media copywriting content_strategy publicite publicidad webdesign web_design',
  ),
  industry(
    'Consulting',
    NONE,
    'consult* beratung* unternehmensberatung conseil* consultoria asesoria advisory strategy_consult* change_management interim_management',
  ),
  industry(
    'Legal services',
    /Attorney|Legal|Notary/,
    'law lawyer* attorney* legal_advice rechtsanwalt* rechtsanwalte kanzlei notar* avocat* abogad* litigation law_firm solicitor* anwaltskanzlei paralegal',
  ),
  industry(
    'Accounting and tax',
    /Accounting/,
    'accounting accountant* bookkeeping tax_return* tax_advice steuerberat* buchhaltung* wirtschaftspruf* comptab* contabilidad gestoria payroll lohnbuchhaltung cpa audit_services',
  ),
  industry(
    'Financial services',
    /Financial|Bank/,
    'bank banking finance financial* investment* wealth_management loans mortgage* kredit* finanzierung* vermogensverwaltung fintech lending pension_fund banque courtage asset_management',
  ),
  industry(
    'Insurance',
    /Insurance/,
    'insurance versicherung* assurance* seguros broker underwriting policyholders haftpflicht* claims_handling',
  ),
  industry(
    'Real estate',
    /RealEstate/,
    'real_estate realtor* immobilien* immobilier* inmobiliaria property_management apartments_for_sale hausverwaltung makler* wohnungen letting rental_properties lettings',
  ),
  industry(
    'Construction and trades',
    /Contractor|Construction|Electrician|Plumber|Roofing|HousePainter|Locksmith|HVAC/,
    'construction builder* building_company bauunternehmen hochbau tiefbau roofing dachdecker* plumb* electrician* elektriker* elektroinstallation heizung sanitar* renovat* renovierung* sanierung* carpent* schreiner* tischler* maler* handwerk* batiment plomberie construcci* reformas',
  ),
  industry(
    'Architecture and design',
    NONE,
    'architect* architektur* arquitect* interior_design innenarchitektur landscape_architecture urban_planning planungsburo furniture_design',
  ),
  industry(
    'Manufacturing and engineering',
    NONE,
    'manufactur* factory machining cnc maschinenbau* anlagenbau fertigung* produktion* usinage fabrication industrial hersteller fabricante* fabricant metallbau werkzeugbau precision_parts engineering automation_technology zulieferer',
  ),
  industry(
    'Automotive',
    /Auto|Car|Motorcycle/,
    'car_dealer* cars autohaus* gebrauchtwagen* kfz werkstatt* garage automobile* auto_repair tyres tires reifen vehicle* fahrzeug* fleet coches taller automotive',
  ),
  industry(
    'Transport and logistics',
    /Moving|Taxi/,
    'logist* freight shipping_company spedition* transporte* transports haulage warehousing lagerlogistik courier* kurier* trucking supply_chain moving_company umzug*',
  ),
  industry(
    'Health care',
    /Dentist|Physician|Hospital|Clinic|Medical|Pharmacy|Optician/,
    'clinic* patient* medical medizin* praxis arzt arzte arztpraxis doctor* dentist* dental zahnarzt* zahnmedizin physiotherap* kinesi* hospital krankenhaus pharmacy apotheke* pharmacie farmacia medecin cabinet_medical dentaire therapie',
  ),
  industry(
    'Life sciences',
    NONE,
    'biotech* pharma pharmaceutical* clinical_trial* drug_discovery genomic* diagnostics medical_device* medizintechnik laborator* life_sciences',
  ),
  industry(
    'Beauty and wellness',
    /Salon|Spa|Beauty|Hair/,
    'beauty hair_salon hairdresser* friseur* coiffure coiffeur* peluqueria kosmetik* cosmetic* skincare massage* spa nails wellness barber* estetica',
  ),
  industry(
    'Sports and fitness',
    /Sports|Gym|Health(?:Club)|Exercise/,
    'gym fitness* yoga pilates personal_train* workout* sportverein training_plans crossfit gimnasio coaching_sportif climbing bouldering martial_arts',
  ),
  industry(
    'Education and training',
    /School|College|University|Educational/,
    'school* schule* course* kurse training_courses university universitat hochschule academy akademie ecole formation escuela students schuler tutoring nachhilfe e_learning seminare workshops curriculum',
  ),
  industry(
    'Travel and tourism',
    /Travel|Tourist/,
    'travel* tour tours tourism* reisen reiseburo urlaub voyage* viajes holidays itinerar* sightseeing excursion* ferienwohnung* cruises destination*',
  ),
  industry(
    'Events and entertainment',
    /Event|Entertainment|Theater|Museum/,
    'event_planning event_management eventagentur wedding* hochzeit* concert* konzert* festival* theatre theater mariage bodas conference_venue dj live_music ticket* museum exhibition*',
  ),
  industry(
    'Media and publishing',
    NONE,
    'publisher* publishing verlag* magazine* newspaper zeitung* journalis* podcast* film_production filmproduktion video_production photograph* fotograf* editorial redaktion bucher books',
  ),
  industry(
    'Energy and environment',
    NONE,
    'solar* photovolta* wind_energy windkraft energy energie* renewable* heat_pump* warmepumpe* recycling waste_management entsorgung* sustainability_consulting wasserstoff hydrogen biogas energia',
  ),
  industry(
    'Agriculture',
    NONE,
    'farm farms farming agricultur* landwirtschaft* bauernhof livestock crops harvest irrigation dairy viehzucht agricole ganaderia saatgut orchard',
  ),
  industry(
    'Non-profit',
    /NGO|Nonprofit/,
    'nonprofit non_profit charity charities donat* spenden gemeinnutzig* verein volunteer* ehrenamt* foundation stiftung association ong fundacion humanitarian fundraising',
  ),
  industry(
    'Staffing and recruiting',
    /Employment/,
    'recruit* staffing personalvermittlung zeitarbeit headhunt* executive_search talent_acquisition interim_staff candidates stellenvermittlung recrutement',
  ),
]
