import { plainText, shorten, SNIPPET_LENGTH } from './plain-text.ts'
import type { Fact } from './site-fact.ts'
import type { SitePage } from './site-page.ts'

/** The technologies whose traces are in a page's source, its scripts or its response headers, each with the trace that was found. */
export const recognizeTechnologies = (page: SitePage): Fact[] => {
  const places: Record<Place, string> = {
    source: page.source.slice(0, 300_000),
    header: [...page.headers].map(([name, value]) => `${name}: ${value}`).join('\n'),
    generator: page
      .$('meta[name="generator" i]')
      .toArray()
      .map((meta) => page.$(meta).attr('content') ?? '')
      .join('\n'),
  }
  return TECHNOLOGIES.flatMap(([name, place, pattern]) => {
    const match = pattern.exec(places[place])
    if (!match) return []
    const around =
      place === 'header'
        ? lineOf(places.header, match.index)
        : places[place].slice(Math.max(0, match.index - 40), match.index + match[0].length + 60)
    return [
      {
        key: 'technology' as const,
        value: name,
        source_url: page.url,
        snippet: shorten(plainText(`${place}: ${around}`), SNIPPET_LENGTH),
      },
    ]
  })
}

type Place = 'source' | 'header' | 'generator'

const lineOf = (text: string, index: number): string =>
  text.slice(
    text.lastIndexOf('\n', index) + 1,
    text.indexOf('\n', index) === -1 ? undefined : text.indexOf('\n', index),
  )

/** Signatures name a file, a host or a header that only this technology leaves behind; patterns are linear in the text. */
const TECHNOLOGIES: [string, Place, RegExp][] = [
  ['WordPress', 'source', /\/wp-(?:content|includes)\//],
  ['WordPress', 'generator', /WordPress/i],
  ['WooCommerce', 'source', /\/plugins\/woocommerce\/|class="[^"]{0,200}woocommerce/],
  ['Elementor', 'source', /\/plugins\/elementor\//],
  ['Yoast SEO', 'source', /yoast-schema-graph|optimized with the Yoast SEO/],
  ['Shopify', 'source', /cdn\.shopify\.com|Shopify\.theme/],
  ['Wix', 'source', /static\.wixstatic\.com|static\.parastorage\.com/],
  ['Wix', 'generator', /Wix\.com/i],
  ['Squarespace', 'source', /static1?\.squarespace\.com|squarespace-cdn\.com/],
  ['Webflow', 'source', /data-wf-(?:page|site)=|website-files\.com|assets\.website-files/],
  ['Jimdo', 'source', /assets\.jimstatic\.com|jimdo-dolphin/],
  ['Weebly', 'source', /cdn\d?\.editmysite\.com/],
  ['Joomla', 'generator', /Joomla/i],
  ['Drupal', 'source', /\/sites\/(?:default|all)\/(?:files|themes|modules)\/|data-drupal-/],
  ['Drupal', 'generator', /Drupal/i],
  ['TYPO3', 'source', /\/typo3(?:conf|temp)\//],
  ['TYPO3', 'generator', /TYPO3/i],
  ['Contao', 'generator', /Contao/i],
  ['Ghost', 'generator', /^Ghost/im],
  ['Hugo', 'generator', /^Hugo/im],
  ['Gatsby', 'source', /id="___gatsby"/],
  ['Magento', 'source', /Magento_|\/static\/version\d+\/frontend\/|text\/x-magento-init/],
  ['PrestaShop', 'generator', /PrestaShop/i],
  ['Shopware', 'source', /\/bundles\/storefront\/|shopware/i],
  ['BigCommerce', 'source', /cdn\d*\.bigcommerce\.com/],
  ['Framer', 'source', /framerusercontent\.com/],
  ['Next.js', 'source', /\/_next\/static\/|id="__NEXT_DATA__"/],
  ['React', 'source', /data-reactroot|react(?:-dom)?(?:\.production)?(?:\.min)?\.js|\/_next\/static\//],
  ['Nuxt', 'source', /\/_nuxt\/|id="__nuxt"/],
  ['Vue.js', 'source', /\bvue(?:\.runtime)?(?:\.global)?(?:\.prod)?(?:\.min)?\.js|data-v-app|\/_nuxt\//],
  ['Angular', 'source', /ng-version="/],
  ['Svelte', 'source', /data-sveltekit|\/_app\/immutable\//],
  ['Astro', 'source', /<astro-island|\/_astro\//],
  ['jQuery', 'source', /jquery(?:-\d[\d.]{0,8})?(?:\.slim)?(?:\.min)?\.js/i],
  ['Bootstrap', 'source', /bootstrap(?:\.bundle)?(?:\.min)?\.(?:css|js)/i],
  ['Google Analytics', 'source', /google-analytics\.com\/|googletagmanager\.com\/gtag\/js/],
  ['Google Tag Manager', 'source', /googletagmanager\.com\/(?:gtm\.js|ns\.html)/],
  ['Google Ads', 'source', /googleadservices\.com|googleads\.g\.doubleclick\.net/],
  ['Meta Pixel', 'source', /connect\.facebook\.net\/[\w-]{2,8}\/fbevents\.js/],
  ['LinkedIn Insight', 'source', /snap\.licdn\.com/],
  ['Matomo', 'source', /matomo\.(?:js|php)|piwik\.(?:js|php)/],
  ['Plausible', 'source', /plausible\.io\/js\//],
  ['Hotjar', 'source', /static\.hotjar\.com/],
  ['Segment', 'source', /cdn\.segment\.com/],
  ['HubSpot', 'source', /js(?:-\w{2,4})?\.hs-scripts\.com|js\.hsforms\.net|hs-analytics\.net/],
  ['Salesforce', 'source', /\.my\.salesforce\.com|pardot\.com/],
  ['Zoho', 'source', /salesiq\.zoho|zohopublic\.com/],
  ['Pipedrive', 'source', /leadbooster-chat\.pipedrive\.com|pipedriveassets/],
  ['Intercom', 'source', /widget\.intercom\.io|intercomSettings/],
  ['Zendesk', 'source', /static\.zdassets\.com/],
  ['Drift', 'source', /js\.driftt\.com/],
  ['Crisp', 'source', /client\.crisp\.chat/],
  ['Tawk.to', 'source', /embed\.tawk\.to/],
  ['Calendly', 'source', /assets\.calendly\.com|calendly\.com\//],
  ['Mailchimp', 'source', /list-manage\.com|chimpstatic\.com/],
  ['Klaviyo', 'source', /static\.klaviyo\.com/],
  ['Brevo', 'source', /sibforms\.com|sibautomation\.com/],
  ['Stripe', 'source', /js\.stripe\.com|checkout\.stripe\.com|buy\.stripe\.com/],
  ['PayPal', 'source', /paypal\.com\/sdk\/js|paypalobjects\.com/],
  ['Klarna', 'source', /klarnaservices\.com|klarna\.com\/web-sdk/],
  ['Cookiebot', 'source', /consent\.cookiebot\.com/],
  ['OneTrust', 'source', /cdn\.cookielaw\.org|otSDKStub/],
  ['Usercentrics', 'source', /usercentrics\.eu/],
  ['reCAPTCHA', 'source', /google\.com\/recaptcha|recaptcha\/api\.js/],
  ['Cloudflare', 'header', /^server: cloudflare|^cf-ray:/im],
  ['Vercel', 'header', /^server: vercel|^x-vercel-id:/im],
  ['Netlify', 'header', /^server: netlify|^x-nf-request-id:/im],
  ['Nginx', 'header', /^server: nginx/im],
  ['Apache', 'header', /^server: apache/im],
  ['Microsoft IIS', 'header', /^server: microsoft-iis/im],
  ['PHP', 'header', /^x-powered-by: php|^set-cookie: PHPSESSID/im],
  ['ASP.NET', 'header', /^x-powered-by: asp\.net|^x-aspnet-version:/im],
]
