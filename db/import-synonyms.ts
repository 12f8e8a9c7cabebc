/**
 * What other systems and languages call the fields of a record: names without case, accents and punctuation, parted by commas.
 * A concept is not a field: which field of a kind it fills is said by `conceptFields`.
 */
const CONCEPTS = {
  id: 'leadhand id',
  external_id:
    'external id, record id, lead id, deal id, contact id, account id, opportunity id, person id, organization id, company id, customer id, customer number, id, uid, uuid, guid, kundennummer, kunden nr, datensatz id, externe id, id externe, identifiant, numero client, id externo, identificador, codice cliente, id esterno, klantnummer, extern id, reference, ref',
  first_name:
    'first name, firstname, given name, forename, fname, first, person first name, contact first name, vorname, prenom, nombre, nome proprio, primeiro nome, nome di battesimo, voornaam, fornavn, imie, jmeno',
  last_name:
    'last name, lastname, surname, family name, lname, last, person last name, contact last name, nachname, familienname, zuname, nom de famille, apellido, apellidos, primer apellido, cognome, sobrenome, apelido, achternaam, familienaam, etternavn, efternamn, nazwisko, prijmeni',
  middle_name:
    'middle name, second name, zweiter vorname, deuxieme prenom, segundo nombre, secondo nome, tussenvoegsel',
  person:
    'contact name, full name, fullname, name, person name, person, lead name, contact person, contact, primary contact, associated contact, associated contacts, associated people, deal contact person, lead person, your name, complete name, customer name, client name, ansprechpartner, kontakt, kontaktperson, vollstandiger name, vor und nachname, nom complet, nom, nom et prenom, prenom nom, contact principal, interlocuteur, nombre completo, nombre y apellidos, persona de contacto, contacto, nome completo, nome, nome e cognome, nominativo, referente, contatto, contato, pessoa de contato, nome do contato, naam, volledige naam, contactpersoon, imie i nazwisko',
  record_name:
    'name, deal name, deal title, opportunity name, opportunity, deal, subject, lead title, project, project name, betreff, geschaft, chance, angebot, verkaufschance, projekt, bezeichnung, affaire, opportunite, nom de l affaire, projet, objet, oportunidad, nombre del negocio, negocio, proyecto, asunto, opportunita, trattativa, progetto, oggetto, oportunidade, nome do negocio, assunto, projeto, kans, deal naam, onderwerp, project naam',
  company:
    'company, company name, organization, organisation, organization name, organisation name, account, account name, business, business name, employer, firm, company account, associated company, associated company primary, deal organization, lead organization, person organization, current company, customer, client, firma, firmenname, unternehmen, unternehmensname, organisation name, kunde, entreprise, societe, nom de l entreprise, raison sociale, nom de la societe, compte, client nom, empresa, nombre de la empresa, compania, razon social, organizacion, cuenta, azienda, societa, ragione sociale, nome azienda, ditta, impresa, companhia, nome da empresa, organizacao, conta, razao social, bedrijf, bedrijfsnaam, organisatie, klant, onderneming, spolka, spolecnost',
  title:
    'job title, jobtitle, title, position, role, job role, job, job position, designation, function, occupation, contact title, berufsbezeichnung, funktion, stelle, stellenbezeichnung, beruf, jobtitel, poste, fonction, intitule du poste, titre, cargo, puesto, funcion, titulo, qualifica, ruolo, mansione, posizione, funcao, cargo funcao, functie, functietitel, rol, stanowisko',
  email:
    'email, e mail, mail, email address, e mail address, mail address, emailaddress, email id, email addresses, primary email, work email, business email, contact email, person email, person email work, email work, email 1, your email, personal email, mailadresse, e mail adresse, email adresse, mailanschrift, courriel, adresse email, adresse e mail, adresse mail, adresse electronique, correo, correo electronico, direccion de correo, email de contacto, posta elettronica, indirizzo email, indirizzo e mail, endereco de email, correio eletronico, e mailadres, emailadres, mailadres, adres email',
  phone:
    'phone, phone number, phone numbers, telephone, telephone number, tel, tel no, tel nr, phone no, mobile, mobile phone, mobile number, mobile phone number, cell, cell phone, cellphone, work phone, business phone, office phone, direct phone, direct dial, home phone, primary phone, company phone, contact phone, person phone, person phone work, phone work, phone 1, contact number, whatsapp, whatsapp number, telefon, telefonnummer, rufnummer, festnetz, mobil, mobilnummer, mobiltelefon, handy, handynummer, telefone, telefonnr, numero de telephone, portable, tel portable, telephone portable, telefono, numero de telefono, movil, celular, telefono movil, numero di telefono, cellulare, cell, telemovel, numero de telefone, telefoon, telefoonnummer, gsm, mobiel, mobiele nummer, numer telefonu',
  website:
    'website, web site, web, url, website url, web address, homepage, home page, site, domain, domain name, domains, company domain, company domain name, company website, company url, organization domain, webseite, internetseite, internet, webadresse, site web, site internet, adresse web, sitio web, pagina web, web de la empresa, dominio, sito, sito web, sito internet, pagina, site da empresa, dominio do site, webpagina, websiteadres, strona www',
  city: 'city, town, locality, location city, mailing city, billing city, city town, primary location city, ort, stadt, wohnort, ville, localite, commune, ciudad, poblacion, localidad, municipio, citta, comune, localita, cidade, municipio cidade, plaats, woonplaats, stad, miasto',
  state:
    'state, region, province, state region, state province, county, mailing state, billing state, state code, primary location state, bundesland, kanton, land region, departement, etat, provincia, estado, comunidad autonoma, regione, uf, estado uf, provincie, wojewodztwo',
  country:
    'country, country region, country name, country code, nation, mailing country, billing country, primary location country, country territory, land, staat, pays, pais, paese, nazione, stato, landcode, lander, kraj',
  industry:
    'industry, sector, industry sector, business sector, vertical, line of business, branche, industrie, wirtschaftszweig, secteur, secteur d activite, activite, industria, sector de actividad, settore, setor, ramo, ramo de atividade, bedrijfstak, branza',
  message:
    'message, comment, comments, note, notes, description, remarks, inquiry, enquiry, request, question, details, additional information, your message, lead description, body, text, nachricht, anfrage, bemerkung, bemerkungen, kommentar, notiz, notizen, beschreibung, anmerkung, commentaire, commentaires, remarque, remarques, demande, mensaje, comentario, comentarios, notas, descripcion, observaciones, consulta, messaggio, nota, commento, commenti, descrizione, richiesta, mensagem, observacao, observacoes, descricao, bericht, opmerking, opmerkingen, notitie, omschrijving, aanvraag',
  source:
    'source, lead source, leadsource, original source, original traffic source, latest source, record source, source name, utm source, channel, lead channel, origin, deal source, source channel, how did you hear about us, quelle, herkunft, lead quelle, kanal, leadquelle, provenance, origine, canal, fuente, origen, fuente del lead, fonte, provenienza, origem, fonte do lead, bron, herkomst, leadbron, zrodlo',
  campaign:
    'campaign, campaign name, utm campaign, campaign source, primary campaign source, kampagne, kampagnenname, campagne, nom de la campagne, campana, nombre de la campana, campagna, nome campagna, campanha, nome da campanha, campagnenaam, kampania',
  landing_page:
    'landing page, landingpage, landing page url, page url, first page seen, conversion page, form url, referrer page, zielseite, einstiegsseite, page d atterrissage, page de destination, pagina de destino, pagina di destinazione, pagina de entrada, bestemmingspagina',
  value:
    'value, amount, deal value, deal amount, opportunity amount, opportunity value, lead value, expected revenue, estimated value, estimated revenue, potential value, worth, budget, price, total, contract value, acv, arr, mrr, deal size, betrag, wert, auftragswert, volumen, umsatzpotenzial, erwarteter umsatz, preis, summe, angebotswert, montant, valeur, montant de l affaire, valeur estimee, prix, importe, valor, valor estimado, monto, precio, presupuesto, importo, valore, prezzo, valor do negocio, quantia, preco, orcamento, bedrag, waarde, prijs, dealwaarde, kwota, wartosc',
  value_minor: 'value minor, amount in cents, value in cents',
  revenue:
    'revenue, annual revenue, yearly revenue, company revenue, turnover, annual turnover, sales, umsatz, jahresumsatz, chiffre d affaires, ca annuel, facturacion, ingresos anuales, ingresos, fatturato, ricavi, faturamento, receita anual, receita, omzet, jaaromzet',
  currency:
    'currency, currency code, currency iso code, deal currency, currency of value, deal currency of value, lead currency, wahrung, devise, monnaie, moneda, divisa, valuta, moeda, valutacode, waluta',
  expected_close_on:
    'expected close, expected close date, expected close on, close date, closing date, closed date, deal close date, estimated close date, forecast close date, target date, deal expected close date, lead expected close date, abschlussdatum, erwartetes abschlussdatum, erwarteter abschluss, geplanter abschluss, abschluss, date de cloture, date de cloture prevue, cloture prevue, date de signature, fecha de cierre, fecha de cierre prevista, cierre previsto, data di chiusura, data chiusura prevista, chiusura prevista, data de fechamento, data prevista de fechamento, fechamento previsto, sluitingsdatum, verwachte sluitingsdatum, afsluitdatum',
  forecast_category:
    'forecast category, forecast, prognose kategorie, categorie de prevision, categoria de pronostico',
  tags: 'tags, tag, labels, label, keywords, lead labels, categories, category, person labels, deal label, lead label, schlagworte, schlagworter, etikett, kategorien, stichworte, etiquettes, mots cles, etiqueta, etiquetas, palabras clave, etichette, etichetta, parole chiave, marcadores, palavras chave, trefwoorden, labels tags',
  stage:
    'stage, deal stage, lead stage, pipeline stage, opportunity stage, stage name, lead status, status, sales stage, phase, stufe, stadium, verkaufsphase, leadstatus, lead phase, etape, statut, phase de vente, statut du lead, etapa, fase, estado del lead, estatus, etapa del negocio, fase trattativa, stato lead, stadio, fase do funil, etapa do negocio, status do lead, leadfase, dealfase',
  pipeline:
    'pipeline, deal pipeline, sales pipeline, pipeline name, funnel, vertriebspipeline, trichter, entonnoir, embudo, pipeline de ventas, imbuto, funil, funil de vendas, verkooptrechter',
  owner:
    'owner, lead owner, deal owner, contact owner, account owner, opportunity owner, record owner, company owner, company owner name, owner name, owner email, assigned to, assignee, assigned user, sales rep, sales representative, salesperson, account manager, responsible, responsible user, rep, agent, person owner, organization owner, hubspot owner, zustandig, besitzer, inhaber, verantwortlich, verantwortlicher, bearbeiter, betreuer, vertriebsmitarbeiter, proprietaire, responsable, commercial, assigne a, propietario, asignado a, comercial, vendedor, proprietario, responsabile, assegnato a, commerciale, venditore, responsavel, atribuido a, vendedor responsavel, eigenaar, verantwoordelijke, toegewezen aan, verkoper, accountmanager, opiekun',
  lifecycle:
    'lifecycle, lifecycle stage, life cycle stage, contact type, account type, customer type, relationship, lebenszyklus, lebenszyklusphase, kundentyp, phase du cycle de vie, etapa del ciclo de vida, fase del ciclo di vita, estagio do ciclo de vida, levenscyclusfase',
  segment:
    'segment, customer segment, market segment, tier, kundensegment, segmento, segmento de mercado, klantsegment',
  size: 'size, number of employees, employees, no of employees, employee count, employee range, headcount, company size, num employees, mitarbeiter, mitarbeiterzahl, anzahl mitarbeiter, unternehmensgrosse, effectif, nombre d employes, nombre de salaries, taille de l entreprise, empleados, numero de empleados, tamano de la empresa, dipendenti, numero di dipendenti, dimensione azienda, funcionarios, numero de funcionarios, tamanho da empresa, werknemers, aantal werknemers, aantal medewerkers, bedrijfsgrootte',
  health: 'health, health score, customer health, kundengesundheit, sante, salud, salute, saude, gezondheid',
  description:
    'description, about, summary, company description, notes, note, comments, beschreibung, notizen, bemerkungen, description de l entreprise, commentaires, descripcion, notas, descrizione, note interne, descricao, observacoes, omschrijving, opmerkingen',
} as const
export type Concept = keyof typeof CONCEPTS

/** The names of each concept, normalised. */
export const synonyms: ReadonlyMap<Concept, readonly string[]> = new Map(
  Object.entries(CONCEPTS).map(([concept, names]) => [concept as Concept, names.split(', ')]),
)

/** Parts of a person's name that come in columns of their own, in the order in which a name is written. */
export const nameParts: readonly Concept[] = ['first_name', 'middle_name', 'last_name']
