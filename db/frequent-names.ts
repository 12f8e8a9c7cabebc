import { foldedWords } from './folding.ts'

// Put together by hand for this project from what is common knowledge: first names and surnames that many people share, in
// the languages that leads are most often written in. Whoever knows a missing one adds it; the order means nothing.

const words = (text: string): ReadonlySet<string> => new Set(foldedWords(text))

/** First names that many people have: agreeing on one says less, and two different ones are no typing error. Folded. */
export const commonGivenNames = words(`
  aaron abdul abigail adam adele adrian adriana agata agnes agnieszka ahmad ahmed aisha alan albert alberto alejandra
  alejandro alessandra alessandro alexander alexandra alexis alfred alice alicia alina alisa amanda amelie amina amir
  amy ana anastasia andre andrea andreas andres andrew andrzej angela angelika angelo anita anja ann anna anne annette
  antje antoine anton antonia antonio april armin arne arnold arthur astrid august axel barbara barry beata beatrice
  beatriz benedikt benjamin bernard bernd bernhard bettina birgit bjorn boris brandon brenda brian brigitte bruno
  camila camille carina carl carla carlo carlos carmen carol carolin caroline carsten catherine cecilia celine charles
  charlotte chen cheng chiara chloe christa christian christiane christina christine christoph christophe christopher
  cindy clara claude claudia claudio clemens cornelia craig cristian cristina cynthia dagmar daniel daniela daniele
  danielle david dawn deborah denis denise dennis diana diego dieter dietmar dirk dmitri dolores dominic dominik
  donald donna doris dorota dorothea dorothy douglas dylan eduardo edward elena elisabeth elise elizabeth ella ellen
  elsa elvira emil emilia emilie emily emma emmanuel enrico eric erica erik erika ernst ersin esther ethan eugen eva
  evan evelyn ewa fabian fabio fatima fatma federico felipe felix fernanda fernando filip florian frances francesca
  francesco francis francisco franck francois frank franz frauke frederic frederik friedrich gabriel gabriela gabriele
  gary georg george georges gerald gerard gerd gerhard gernot gertrud gianni gilles giovanni gisela giulia giuseppe
  gloria grace graham greta gudrun guido guillaume gunter gustav hannah hannes hans harald harold harry hasan hassan
  heather heidi heike heiko heinrich heinz helen helena helene helga helmut henri henrik henry herbert hermann hilde
  hiroshi holger horst hubert hugo ian ibrahim ignacio igor ilse ina ines inga inge ingo ingrid irena irene irina iris
  irma isaac isabel isabella isabelle ivan iwona jack jacob jacqueline jacques jakob jakub james jan jana jane janet
  janina janine jason javier jean jeanne jeff jeffrey jennifer jens jeremy jerome jerzy jessica jesus jim joachim joan
  joana joanna joao jochen joel johan johann johanna johannes john jonas jonathan jorg jorge jose josef josefine
  joseph joshua joyce juan juanita judith judy julia julian juliana julie julien juliette julius jurgen justin justine
  justyna kai karen karim karin karina karl karolina karoline karsten kasia katarzyna kate katharina katherine
  kathleen kathrin katja katrin kay keith kelly kenneth kerstin kevin khalid kim klaus konrad konstantin krzysztof
  kurt kyle lara larissa larry lars laura laurence laurent lea leah leila lena leo leon leonard leonie leslie liam
  lilian lina linda lisa lothar louis louisa louise luca lucas lucia lucie ludwig luigi luis luisa lukas lukasz lutz
  lydia maciej madeleine magda magdalena mahmoud maja malgorzata malte manfred manuel manuela marc marcel marcelo
  marcin marco marcos marcus maren margaret margarete margarita margot maria mariana marianne marie marielle marija
  marina mario marion marius marjorie mark markus marlene marta martha martin martina martine mary mateusz mathias
  mathieu mathilde matteo matthew matthias maurice mauricio max maximilian maya megan mehmet mei melanie melissa
  mercedes mia micha michael michaela michal michel michele michelle miguel mikael mike mikhail milan milena miriam
  mohamed mohammad mohammed moritz mustafa nadia nadine nancy natalia natalie natascha nathan neil nicholas nicola
  nicolas nicole niels nigel nikolai nils nina noah noel nora norbert norman olaf oleg olga oliver olivia olivier omar
  oscar oskar osman otto pablo pamela paola paolo pascal patricia patrick patrik patrizia paul paula paulina pauline
  paulo pavel pawel pedro peer pekka per peter petra philip philipp philippe phillip pia pierre piotr rachel rafael
  raffael rainer ralf ralph ramon raphael raquel raul raymond rebecca regina reinhard renate rene ricardo riccardo
  richard rita robert roberta roberto robin rodrigo roger roland rolf roman ronald rosa rosemary roy rudolf russell
  ruth ryan sabine sabrina said sam samantha samuel sandra sara sarah scott sean sebastian selina serge sergej sergey
  sergio sharon shirley sibylle siegfried sigrid silke silvia simon simona simone sofia sofie sonia sonja sophia
  sophie stanislaw stefan stefanie stella stephan stephane stephanie stephen steven stuart sung susan susana susanna
  susanne suzanne sven svetlana sylvia sylvie takashi tamara tanja tanya tatiana teresa thea theodor theresa therese
  thierry thomas thorsten tilman tim timo timothy tina tobias tom tomas tomasz torsten tracy ulrich ulrike umut ursula
  uta ute uwe valentin valentina valerie vanessa vera verena veronica veronika vicente victor victoria viktor viktoria
  vincent vincenzo virginia vladimir volker walter waltraud wanda wei wendy werner wiebke wilfried wilhelm willi
  william wolf wolfgang xavier yan yang yannick yasmin yolanda yuki yuri yusuf yves yvonne zoe zofia
`)

/** Surnames that many people have. Folded. */
export const commonFamilyNames = words(`
  adams ahmed albrecht alexander ali allen alonso alvarez ana andersen anderson andersson andrews arnold bailey baker
  barbieri barnes bauer baumann beck becker bell bennett berg berger bergmann bernard bertrand bianchi black bohm
  bonnet brandt braun brooks brown bruno bryant busch butler campbell carter castillo castro chan chang chapman chavez
  chen cheng choi clark clarke coleman collins conti cook cooper costa cox cruz cunningham dang davies davis daz dean
  delgado diaz dietrich domnguez dubois dumas dupont durand edwards ellis engel erikson eriksson ernst esposito evans
  fabre fernandes fernandez ferrari ferreira fischer fisher fontana ford foster fournier fox franco frank franke
  freeman friedrich fuchs gallo garcia gardner garnier gibson gil girard gomes gomez goncalves gonzalez gordon graf
  graham gray greco green griffin grimm gross gruber gunther gupta gutierrez haas hahn hall hamilton hansen hansson
  harris harrison hartmann harvey hassan heinrich henderson henry herman hermann hernandez herrmann hill hoang hofer
  hoffmann hofmann holmes horn howard huang huber hughes hunt hunter hussain ibrahim ivanov jackson jager james jansen
  janssen jenkins jensen jimenez johansson johnson jones jordan jung kaiser karlsson kaya keller kelly kennedy khan
  kim king klein knight koch kohler konig kowalski kramer kraus krause kruger kuhn kumar lambert lang lange larsen
  larsson lawrence le leclerc lee lefebvre lehmann leroy lewis li lin lindberg ling liu lombardi long lopes lopez
  lorenz ludwig maier mancini marin marino marques marshall martin martinez martini martins marx mason matthews may
  mayer mcdonald medina meier mendez mendoza mercier meyer michel miller mills mitchell mohamed molina moller moore
  morales moreau morel moreno moretti morgan morris morrison muller munoz murphy murray myers navarro nelson neumann
  nguyen nielsen nikolic nilsen nilsson novak nowak olsen olsson ortega ortiz otto owens ozturk palmer park parker
  patel paul pereira perez perrin perry peters petersen peterson petersson petrov pfeiffer pham phillips pierce pinto
  pohl porter powell price ramirez ramos rasmussen reed reyes reynolds ricci richard richards richardson richter
  rivera rizzo robert roberts robertson robinson rodrigues rodriguez rogers romano romero rose ross rossi roth
  rousseau roux roy rubio ruiz russell russo ryan sahin saito sanchez sanders santos sato sauer schafer schmid schmidt
  schmitt schmitz schneider scholz schreiber schroder schubert schulte schultz schulz schulze schumacher schuster
  schwarz scott sharma shaw silva simmons simon simpson singer singh smirnov smith snyder sommer sorensen souza stein
  steiner stevens stewart sullivan suzuki svensson tanaka tang taylor thomas thompson thomson torres tran tucker
  turner vargas vazquez vega vincent vogel vogt voigt wagner walker wallace walter wang ward watanabe watson webb
  weber weiss wells west white wilson winkler winter wolf wolff wong wood woods wright wu xu yamamoto yang yildiz
  yilmaz young zhang zhao zhou ziegler zimmermann
`)

/** Places where so many live that sharing one says little. Folded. */
export const bigCities = words(`
  amsterdam athen athens atlanta auckland bangalore bangkok barcelona beijing belgrad belgrade berlin bern birmingham
  bogota boston bremen bristol brussel brussels bruxelles bucharest budapest buenosaires cairo calgary capetown
  chicago cologne copenhagen dallas delhi denver detroit dortmund dresden dubai dublin duisburg dusseldorf edinburgh
  essen florence frankfurt frankfurtammain geneva geneve genf glasgow hamburg hannover helsinki hongkong houston
  hyderabad istanbul jakarta johannesburg kobenhavn koln krakow kyiv lagos leeds leipzig lille lima lisboa lisbon
  liverpool london losangeles lyon madrid manchester manila marseille melbourne mexico mexicocity miami milan milano
  montreal moscow mumbai munchen munich nairobi naples napoli newyork nurnberg osaka oslo ottawa paris perth
  philadelphia phoenix porto prag prague praha riga rio riodejaneiro roma rome rotterdam sandiego sanfrancisco
  santiago saopaulo seattle seoul sevilla shanghai shenzhen singapore sofia stockholm stuttgart sydney taipei telaviv
  tokyo torino toronto toulouse turin valencia vancouver vienna vilnius warsaw warszawa washington wien zurich
`)
