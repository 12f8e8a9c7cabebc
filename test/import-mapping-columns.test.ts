import { describe, expect, test } from 'vitest'
import { suggested } from './import-mapping.ts'

describe('F68: suggestions', () => {
  test('for an export of HubSpot', () => {
    expect(
      suggested(
        'lead',
        [
          'Record ID',
          'First Name',
          'Last Name',
          'Email',
          'Phone Number',
          'Contact owner',
          'Lead Status',
          'Create Date',
          'Associated Company',
          'Job Title',
          'Website URL',
          'Country/Region',
          'Original Source',
          'Message',
        ],
        [
          [
            '1',
            'Bo',
            'Muster',
            'bo@x.example',
            '+49 30 901820',
            'Grit Muster',
            'OPEN',
            '2026-01-01',
            'X',
            'CEO',
            'https://x.example',
            'Germany',
            'Organic',
            'Hello',
          ],
        ],
      ),
    ).toEqual({
      'Record ID': 'external_id',
      'First Name': 'contact_name',
      'Last Name': 'contact_name',
      Email: 'email',
      'Phone Number': 'phone',
      'Contact owner': 'owner',
      // It holds no stage of ours: every row would be an error.
      'Lead Status': null,
      'Create Date': null,
      'Associated Company': 'company_name',
      'Job Title': 'title',
      'Website URL': 'website',
      'Country/Region': 'country',
      'Original Source': 'source',
      Message: 'message',
    })
  })

  test('for exports of Salesforce, Pipedrive, Zoho and Attio', () => {
    expect(
      suggested('deal', [
        'Opportunity Name',
        'Account Name',
        'Amount',
        'Close Date',
        'Stage',
        'Opportunity Owner',
        'Lead Source',
        'Opportunity ID',
      ]),
    ).toEqual({
      'Opportunity Name': 'name',
      'Account Name': 'company_name',
      Amount: 'value',
      'Close Date': 'expected_close_on',
      Stage: 'stage',
      'Opportunity Owner': 'owner',
      'Lead Source': 'source',
      'Opportunity ID': 'external_id',
    })
    expect(
      suggested('deal', [
        'Deal - Title',
        'Deal - Value',
        'Deal - Currency of Value',
        'Deal - Stage',
        'Deal - Owner',
        'Deal - Organization',
        'Deal - Contact person',
        'Deal - Expected close date',
        'Deal - Pipeline',
        'Person - Email - Work',
        'Person - Phone - Work',
      ]),
    ).toEqual({
      'Deal - Title': 'name',
      'Deal - Value': 'value',
      'Deal - Currency of Value': 'currency',
      'Deal - Stage': 'stage',
      'Deal - Owner': 'owner',
      'Deal - Organization': 'company_name',
      'Deal - Contact person': 'contact_name',
      'Deal - Expected close date': 'expected_close_on',
      'Deal - Pipeline': 'pipeline',
      'Person - Email - Work': 'email',
      'Person - Phone - Work': 'phone',
    })
    expect(
      suggested('lead', [
        'Record Id',
        'Lead Owner',
        'Company',
        'First Name',
        'Last Name',
        'Designation',
        'Email',
        'Lead Source',
        'Description',
      ]),
    ).toMatchObject({
      'Record Id': 'external_id',
      'Lead Owner': 'owner',
      Company: 'company_name',
      'First Name': 'contact_name',
      'Last Name': 'contact_name',
      Designation: 'title',
      'Lead Source': 'source',
      Description: 'message',
    })
    expect(
      suggested('account', [
        'Name',
        'Domains',
        'Number of Employees',
        'Annual Revenue',
        'Industry',
        'Account Owner',
      ]),
    ).toEqual({
      Name: 'name',
      Domains: 'website',
      'Number of Employees': 'size',
      'Annual Revenue': 'revenue',
      Industry: 'industry',
      'Account Owner': 'owner',
    })
  })

  test.each<[string, string[]]>([
    [
      'German',
      [
        'Vorname',
        'Nachname',
        'Firma',
        'Telefonnummer',
        'E-Mail-Adresse',
        'Ort',
        'Bundesland',
        'Land',
        'Bemerkungen',
        'Betrag',
        'Währung',
        'Abschlussdatum',
      ],
    ],
    [
      'French',
      [
        'Prénom',
        'Nom de famille',
        'Société',
        'Téléphone',
        'Adresse e-mail',
        'Ville',
        'Département',
        'Pays',
        'Commentaires',
        'Montant',
        'Devise',
        'Date de clôture',
      ],
    ],
    [
      'Spanish',
      [
        'Nombre',
        'Apellidos',
        'Empresa',
        'Teléfono',
        'Correo electrónico',
        'Ciudad',
        'Provincia',
        'País',
        'Comentarios',
        'Importe',
        'Moneda',
        'Fecha de cierre',
      ],
    ],
    [
      'Italian',
      [
        'Nome proprio',
        'Cognome',
        'Azienda',
        'Telefono',
        'Indirizzo email',
        'Città',
        'Provincia',
        'Paese',
        'Commenti',
        'Importo',
        'Valuta',
        'Data di chiusura',
      ],
    ],
    [
      'Portuguese',
      [
        'Primeiro nome',
        'Sobrenome',
        'Empresa',
        'Telefone',
        'Endereço de email',
        'Cidade',
        'Estado',
        'País',
        'Observações',
        'Valor',
        'Moeda',
        'Data de fechamento',
      ],
    ],
    [
      'Dutch',
      [
        'Voornaam',
        'Achternaam',
        'Bedrijf',
        'Telefoonnummer',
        'E-mailadres',
        'Plaats',
        'Provincie',
        'Land',
        'Opmerkingen',
        'Bedrag',
        'Valuta',
        'Verwachte sluitingsdatum',
      ],
    ],
    [
      'English',
      [
        'First name',
        'Surname',
        'Organisation',
        'Telephone',
        'E-mail address',
        'Town',
        'County',
        'Nation',
        'Remarks',
        'Deal value',
        'Currency code',
        'Expected close date',
      ],
    ],
  ])('know the columns in %s', (_, columns) => {
    const fields =
      'contact_name contact_name company_name phone email city state country message value currency expected_close_on'.split(
        ' ',
      )
    expect(suggested('lead', columns)).toEqual(
      Object.fromEntries(columns.map((column, n) => [column, fields[n]])),
    )
  })
})
