import { describe, expect, test } from 'vitest'
import { leftAloneIn, wishOf } from '../db/lead-wish.ts'

describe('a message that asks to be left alone', () => {
  test.each([
    'please remove me',
    'Please remove me from your mailing list.',
    'Hello,\nplease remove me\nBest regards\nAna',
    'Remove my e-mail address from your database, thank you.',
    'unsubscribe',
    'STOP',
    'Hello. Unsubscribe me please',
    'Please unsubscribe from this list',
    'I want to unsubscribe',
    'How do I unsubscribe?',
    'Please opt me out of everything.',
    'do not contact me again',
    'Don’t e-mail us anymore!',
    'Do not contact me.',
    'Never call me again.',
    'Stop emailing me',
    'Please leave me alone',
    'I no longer wish to receive your newsletters',
    'I do not want to hear from you.',
    'I don’t want to be contacted.',
    'No more emails please',
    'Take me off your list!',
    'Bitte streichen Sie mich aus Ihrem Verteiler.',
    'Löschen Sie bitte meine Daten.',
    'Ich möchte mich vom Newsletter abmelden',
    'Bitte melden Sie mich ab',
    'Kontaktieren Sie mich bitte nicht mehr.',
    'Schreiben Sie mir nie wieder!',
    'Rufen Sie mich nicht mehr an.',
    'Bitte keine weiteren E-Mails.',
    'Ich möchte keine Mails mehr',
    'Ich möchte nicht mehr von Ihnen kontaktiert werden.',
    'Lassen Sie mich in Ruhe',
    'Désabonnez-moi de votre liste',
    'Je souhaite me désinscrire.',
    'Merci de ne plus me contacter',
    'Ne m’écrivez pas, ne me contactez plus',
    'Je ne souhaite plus recevoir de mails',
    'Laissez-moi tranquille',
    'Quiero darme de baja',
    'Por favor, denme de baja de su lista.',
    'No me contacten más',
    'Dejen de escribirme',
    'Elimínenme de su base de datos',
    'No quiero recibir más correos',
    'We do not need this. Please remove me from your list. What did it cost you to find me?',
  ])('“%s”', (message) => {
    expect(leftAloneIn(message)).toBeTruthy()
    expect(wishOf(message)).toBe('left_alone')
  })

  test('is quoted in its own words', () => {
    expect(leftAloneIn('Hello.\nPlease  remove me from your list, thanks.')).toBe('remove me from your list')
    expect(leftAloneIn('Unsub\u200bscribe me')).toBe('Unsubscribe me')
  })
})

describe('a message that only speaks of such things wants an answer', () => {
  test.each([
    'We need an unsubscribe button for our newsletter product. What does it cost?',
    'unsubscribe button for our newsletter product',
    'Unsubscribe links: does your API support them?',
    'How do we let users unsubscribe from our campaigns?',
    'Can contacts opt out of a sequence?',
    'How do I remove users from a pipeline?',
    'Do you remove duplicates from a list?',
    'Can you remove my data from the old CRM when we migrate?',
    'Please do not call me before ten. What does it cost?',
    'Please don’t call me, write to me instead',
    'Do not contact me by phone, e-mail is best.',
    'Do not call me again until Monday, I am travelling.',
    'Don’t e-mail me but my colleague Bo',
    'Our customers never contact us again after the first order',
    'Could you get me, by tomorrow, a quote?',
    'We want to stop calling our leads by hand',
    'No more spreadsheets! We want a demo.',
    'We receive no more e-mails from our shop. Can you help?',
    'The last supplier left us alone with the problem',
    'Wir brauchen einen Abmelde-Link für unseren Newsletter',
    'Wie können Kunden sich vom Newsletter abmelden?',
    'Wir möchten, dass unsere Kunden nicht mehr angerufen werden',
    'Bitte rufen Sie mich nicht mehr vor zehn Uhr an',
    'Kontaktieren Sie mich bitte nicht mehr unter der alten Nummer, sondern per E-Mail',
    'Wir bekommen keine E-Mails mehr aus unserem Shop',
    'Löschen Sie Daten nach DSGVO automatisch?',
    'Nos clients peuvent-ils se désabonner facilement ?',
    'Nous ne voulons plus travailler avec des tableurs',
    'Queremos dar de baja a usuarios en el sistema',
    'No queremos recibir más pedidos de los que podemos servir',
    'Hi',
    'API?',
    '料金を教えてください。',
  ])('“%s”', (message) => {
    expect([leftAloneIn(message), wishOf(message)]).toEqual([undefined, 'answer'])
  })
})

test('no words want nothing', () => {
  for (const message of [null, '', ' \n', '\u200b', '--', '…']) expect(wishOf(message)).toBe('nothing')
})

test('a message that was made to be slow is judged in no time', () => {
  const started = performance.now()
  for (const part of [
    'unsubscribe ',
    'please ',
    '. ',
    'do not contact me ',
    ' ',
    'remove me from your ',
    'ne me ',
  ])
    wishOf(part.repeat(20_000))
  expect(performance.now() - started).toBeLessThan(400)
})
