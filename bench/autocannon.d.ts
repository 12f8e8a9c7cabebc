declare module 'autocannon' {
  type Request = { method: 'GET' | 'POST'; headers: Record<string, string>; body?: string }
  type Options = {
    url: string
    connections: number
    duration?: number
    amount?: number
    requests: (Request & { setupRequest?: (request: Request) => Request })[]
  }
  type Outcome = {
    /** Seconds. */
    duration: number
    errors: number
    timeouts: number
    statusCodeStats: Record<string, { count: number } | undefined>
    latency: { p50: number; p99: number }
  }
  const autocannon: (options: Options) => Promise<Outcome>
  export default autocannon
}
