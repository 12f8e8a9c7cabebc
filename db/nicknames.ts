import { foldedWords } from './folding.ts'

// Put together by hand for this project: how people are called in everyday life, in English, German, French, Spanish,
// Italian, Portuguese, Dutch, Polish and Russian, with spellings of the same name. One name in several lines stands for
// several people.

const LINES = `
  aaron ron ronny
  abigail abby gail
  abraham abe
  adelheid heidi
  agata agatha
  agnieszka agnes aga
  albert al bert albi
  aleksandra alexandra ola sandra alex sascha sasha
  alexander aleksander alexandre alejandro alessandro aleksandr alex alec al sandy sascha sasha xander ale
  alfred fred alf freddy
  alfredo fredo
  andreas andi andy anders andre
  andrew andy drew
  andrzej jedrek
  angela angie geli
  angelika geli angie angelica
  anna ann anne anni annie ana anja anya ania anouk nan
  anastasia nastja nastya ana
  annegret annette
  anthony tony toni
  antoine toine
  anton toni tony
  antonio toni tony tonio nino
  antonia toni
  archibald archie
  arthur art artie arturo artur
  augustin august gus gust
  barbara barb barbie babs babsi bara
  bartholomew bart
  bartosz bartek
  beatrice bea beatrix beatriz trixi
  benedikt bene benedict ben
  benjamin ben benny benni benji
  bernhard bernd bernard bernie berni
  brigitte gitte biggi brigitta
  bridget biddy
  calvin cal
  cameron cam
  carl karl charles charlie charly
  carolin karolin caroline karoline carolina karolina caro carrie line karo
  catherine katherine kathryn catharina katharina katarina katarzyna ekaterina kate katie kathy cathy kat kit kitty cat catalina caterina kathrin katrin kathi kati kasia katja katya
  cecilia cecile celia cilla
  charles charlie chuck chas chip carlo carlos
  charlotte lotte charlie lottie charly
  christian chris christoph kristian cristian
  christina christine kristina kristin kristine christin cristina chris chrissie christa tina kirsten kirstin
  christopher christoph christophe kristoffer cristobal krzysztof chris kris kit topher krzysiek
  clara klara
  claudia klaudia
  claus klaus
  clifford cliff
  constanze konstanze constance connie conny
  cornelia conny connie nele
  cornelius conny neil
  curtis curt kurt
  cynthia cindy
  daniel dan danny dani danilo daniele
  daniela dani danielle
  david dave davey davide
  deborah debra deb debbie debby
  dennis denis denny
  diana diane di
  dieter dietrich
  dmitri dmitry dimitri dimitrij dima mitja
  dominic dominik dominique dom nick
  donald don donnie donny
  dorothy dorothea dot dottie dolly dora thea doro doris
  douglas doug
  eduardo edu
  edward eduard ed eddie eddy ted teddy ned eduardo
  edwin ed eddie
  eleanor elenor eleonore ellie nell nellie nora leonore lenore
  elena helena helene helen elaine ella lena leni nelly ellen yelena jelena
  elisabeth elizabeth elisabet elzbieta elisabetta isabel isabella isabelle liz lizzy lizzie liza lisa lise elise elsa else elsie beth betty betsy bess bessie libby lilibet sissi sisi ela ilse babette
  emilia emily emilie emmi emmy milli milly amelie
  emmanuel manuel manu manny emanuel
  emmanuelle manuela manu
  erik eric erich rick ricky
  ernest ernst ernie ernesto
  eugene eugen gene eugenio
  evelyn evelin eve evi
  eva eve evi ewa
  ewan euan evan
  federico fede
  ferdinand fernando fernand nando ferdi
  florian flo flori
  florence flo flora florentine
  frances franziska francesca francisca francoise fran franny fanny franzi ziska frankie paca
  franz frank francis francois francesco francisco frankie frans franco paco pancho kiko franzl
  frederick frederic friedrich frederik federico fred freddy freddie fritz rick fiete
  friederike rike frederike frieda frida
  gabriel gabe gabi
  gabriela gabriele gabrielle gabi gaby
  geoffrey jeffrey jeff geoff jeffry
  george georg georges jorge giorgio jorg jurgen jerzy
  gerald gerard gerhard gerd jerry gerry gert
  gertrude gertrud trudi trudy gerti
  gianluca luca
  giovanni gianni johann nino vanni
  giuseppe beppe peppe pino
  gisela gisi
  gregory gregor greg gregorio grzegorz
  guillaume guillermo wilhelm william guille memo
  gunther gunter gunnar
  hannah hanna johanna hanne hanni
  harald harry
  harold harry hal
  heinrich heiner heinz hinrich henrik henri henry hendrik rik heini henning
  helmut helmuth
  henry harry hank hal henri enrique enrico
  herbert herb bert herbie heribert
  hermann herman hermine
  hildegard hilde hilda
  howard howie
  hubert bert hugh
  hugo hugh
  ignacio nacho
  ingeborg inge inga
  irene irena irina
  isaac ike zack
  isidor isidro
  ivan iwan vanya vanja
  jacqueline jackie jacky
  jacob jakob jakub jake jack giacomo jacques jaques kuba jacobo
  james jim jimmy jamie jaime jem diego iago
  jan johannes johann john hans jonny johnny jean juan hannes jack jon johan hansi ian sean ioannis ivan giovanni joao janek jens hansjorg
  jane jean janie jayne
  janet jan
  jason jay
  javier xavier javi
  jennifer jen jenny jenni jennie
  jeremy jerry jeremias jem
  jerome jerry hieronymus
  jesse jess
  jessica jess jessie
  joachim jochen achim joaquin jo jochem quim
  joan joanna joanne johanna jo joana asia
  jonas jon
  jonathan jon johnny jonny nathan jonathon
  joseph josef jose jozef joe joey jo sepp pepe josip jupp beppo
  josephine josefine josefina josie jo fina pepa
  joshua josh
  judith judy jutta
  julia julie juliane julianne juliana jule julchen giulia jill
  julian julien julius jules jule giulio
  kenneth ken kenny
  konrad conrad kurt conny conni
  konstantin constantin kostas kostja
  lawrence laurence lorenz lorenzo larry laurent lars laurie lenz enzo
  leonard leonardo leonhard leo len lenny leon
  leonora leonore
  leslie les lesley
  lothar luther
  louis ludwig lewis luis luigi lou louie lutz lui gino wiggerl
  louise luise louisa luisa lou lulu isa
  lucas lukas luke luca lukasz luc
  lucia lucie lucy luzie
  lydia lidia
  magdalena magda lena leni madeleine maddy madalena magdalene
  magnus mans
  malcolm mal
  malgorzata gosia margarete
  manfred manni freddy fred manny
  margaret margarete margarethe margarita marguerite margherita maggie meg peggy marge margie greta grete gretel gretchen rita daisy margit margot madge
  maria marie mary mia mari molly polly mimi mizzi ria mariechen masha mascha maryam miriam
  marianne marian mari
  marco marcos marc mark marcus markus marek marko
  marcin martin
  martha marta
  martin marty marti martino
  martina tina marti
  mateusz matthaus matthew matteo mateo
  matthew matthias mathias matteo mathieu mateo matt matty matze hias mats matti thias
  maurice moritz mauricio maurizio morris mo
  maximilian max maxi maxim maximiliano massimiliano maximilien
  maxwell max
  melanie mel meli
  melissa mel missy lissa
  michael mike mick mickey micky mikey michel miguel michele mikhail michail michal mikael mikkel michi micha mischa misha mitch
  michaela mikaela micaela michi micha
  michelle shelly mish
  mohammed mohammad mohamed muhammad muhammed mohamad mo mehmet
  monika monica moni mona monique
  natalie nathalie natalia natalya natascha natasha nat nati tasha
  nathaniel nathanael nathan nate nat
  nicholas nicolas nikolaus niklas nikolas nicolai nikolai nicola nick nicky nico niko klaus claus niels nils colin mikolaj klas
  nicole nicola nicki nicky niki nikki coco
  norbert nobby bert
  norman norm
  oliver olli ollie olly olivier
  olivia liv livia
  oscar oskar
  ottilie tilli
  otto otis
  padraig patrick paddy podge
  pamela pam
  patricia patrizia pat patty patti trish tricia patsy
  patrick patrik patricio pat paddy patryk
  paul paulus paolo pablo pavel pawel paulo pauli pal
  paula paulina pauline paola paulette
  penelope penny
  peter petrus pete pierre pedro pietro piotr pjotr per peer petter pit
  petra petronella
  philipp philip phillip philippe felipe filippo filip phil pip fips
  rachel raquel rachael shelly
  rafael raphael raffaele rafal rafa rafi raf
  rainer reiner
  raymond raimund ramon ray raimondo
  rebecca rebekka rebeca becky becca bec
  reginald reg reggie reinhold rex
  reinhard reinhardt
  renate nate renata
  ricardo riccardo ricky rico ritchie
  richard rick ricky rich richie dick ricardo riccardo rico rik ryszard
  robert rob robbie robby bob bobby bert roberto robin rupert ruprecht
  rodney rod
  roland rolf orlando rollo roly
  ronald ron ronnie ronny
  rosemarie rosemary rose rosi rosie romy
  rudolf rudolph rolf rudi rudy ralf ralph raoul raul rodolfo
  russell russ rusty
  sabine bine sabina
  salvatore salvador salva toto turi
  samantha sam sammy
  samuel sam sammy
  sandra sandy alessandra
  sarah sara sally sadie
  sebastian bastian basti seb bas wastl sebastien sebastiano
  sergei sergey sergej serge sergio sergiusz serjoscha
  siegfried siggi sigi friedel
  sigrid siri sigi
  silvia sylvia silvie sylvie
  simon szymon
  sofia sophia sophie sofie zofia sonia sonja fia sonya soph zosia
  solomon sol
  stanislaus stanislaw stan staszek
  stefanie stephanie steffi steffie steph stefania fanny stevie
  stephan stefan stephen steven steffen stefano esteban etienne steve stevie steph istvan stepan szczepan stevan
  stuart stewart stu
  susanne susan susanna suzanne susana zuzana zuzanna sue susi susie suzy suse sanne suzie
  sven swen
  svetlana sveta lana
  sylvester vester sly
  tamara tammy tara toma
  tatjana tatiana tanja tanya tania
  terence terrence terry
  theodor theodore teodor teodoro theo ted teddy fjodor fyodor teo
  theresa therese teresa terry tess tessa resi reesi tracy tereza
  thomas tomas tomasz tommaso tom tommy thom tome
  timothy tim timmy timo timotheus
  tobias tobi toby tobie
  torsten thorsten
  ulrich uli ully ulli ullrich
  ulrike uli ulli rike
  ursula ulla uschi uschy urszula ursel orsolya
  valentin val vally valentino
  valerie val
  veronika veronica vera vroni ronnie veronique
  victor viktor vic vito
  victoria viktoria vicky vicki vic tori viktorija
  vincent vinzenz vincenzo vicente vin vinny vince enzo
  virginia ginny ginger gina
  vladimir wladimir vlad wowa vova volodymyr
  walter walther wally walt gualtiero
  wenzel vaclav
  wilhelm willi willy wilhelmine helm wim willem guglielmo
  wilhelmina mina minna willa
  william bill billy will willie liam willy wilhelm guillermo
  winston win
  wojciech wojtek adalbert
  wolfgang wolf wolfi wolfram
  yvonne ivonne
  zachary zack zach zacharias
  zbigniew zbyszek
`

/** Each name with the lines that it stands in; the first word of a line is the name that it is found by. */
const lines = new Map<string, number[]>()
const heads = new Map<string, string>()
for (const [n, line] of LINES.trim().split('\n').entries()) {
  const [head = '', ...others] = foldedWords(line)
  for (const name of [head, ...others]) {
    lines.set(name, [...(lines.get(name) ?? []), n])
    if (name === head) heads.set(name, head)
    else if (!heads.has(name)) heads.set(name, head)
  }
}

/** Whether one is another way to call the other, such as Bob and Robert. Both folded. */
export const isNicknameOf = (one: string, other: string): boolean => {
  const of = lines.get(one)
  return of !== undefined && (lines.get(other) ?? []).some((line) => of.includes(line))
}

/** The name that somebody so called is looked for by; the name itself where no other is known. */
export const properName = (name: string): string => heads.get(name) ?? name
