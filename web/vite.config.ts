import tailwindcss from '@tailwindcss/vite'
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

/** The web build: `web/` in, `web/dist` out; the API is proxied in watch mode. */
export default defineConfig({
  root: import.meta.dirname,
  plugins: [react(), tailwindcss()],
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    // Data URLs would need `data:` in the content security policy.
    assetsInlineLimit: 0,
  },
  server: {
    host: '127.0.0.1',
    proxy: Object.fromEntries(
      ['/api', '/intake', '/openapi.json', '/docs'].map((path) => [
        path,
        process.env['API_URL'] ?? 'http://127.0.0.1:3000',
      ]),
    ),
  },
})
