using System;
using System.Collections.Generic;
using System.IO;
using System.Net;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using Newtonsoft.Json;
using Newtonsoft.Json.Linq;

/// <summary>A consumer: POST /hook stores a batch of events in memory, GET /processed returns the stored events.</summary>
public sealed class Hook : IDisposable
{
    private const string Credentials = "Basic YWNtZTpzZWNyZXQ="; // acme:secret

    private readonly HttpListener listener = new HttpListener();
    private readonly object guard = new object();
    private readonly List<string> events = new List<string>();
    private readonly HashSet<string> known = new HashSet<string>();
    private readonly List<string> pending = new List<string>();
    private readonly Timer flushing;

    public Hook(string url)
    {
        listener.Prefixes.Add(url + "/");
        listener.Start();
        flushing = new Timer(_ => Flush(), null, 5000, 5000);
        Task.Run(Serve);
    }

    public void Dispose()
    {
        flushing.Dispose();
        listener.Close();
    }

    private async Task Serve()
    {
        while (listener.IsListening)
        {
            var context = await listener.GetContextAsync();
            _ = Task.Run(() => Handle(context));
        }
    }

    private void Handle(HttpListenerContext context)
    {
        var path = context.Request.Url.AbsolutePath;
        if (path == "/processed")
            lock (guard) Respond(context, 200, "[" + string.Join(",", events) + "]");
        else if (path != "/hook")
            Respond(context, 404);
        else if (context.Request.HttpMethod != "POST")
            Respond(context, 405);
        else if (context.Request.Headers["Authorization"] != Credentials)
            Respond(context, 401);
        else
            Receive(context);
    }

    private void Receive(HttpListenerContext context)
    {
        try
        {
            Store(Parse(context.Request.InputStream));
            Respond(context, 200);
        }
        catch (Exception unreadable) when (unreadable is JsonException || unreadable is ArgumentException)
        {
            Respond(context, 400);
        }
    }

    private static List<string> Parse(Stream body)
    {
        var text = new StreamReader(body, new UTF8Encoding(false, throwOnInvalidBytes: true)).ReadToEnd();
        // Json.NET would change text that looks like a date.
        var settings = new JsonSerializerSettings { DateParseHandling = DateParseHandling.None };
        var batch = JsonConvert.DeserializeObject<List<JObject>>(text, settings);
        if (batch == null || batch.Contains(null)) throw new JsonException("no list of events");
        return batch.ConvertAll(one => one.ToString(Formatting.None));
    }

    private void Store(List<string> batch)
    {
        lock (guard) pending.AddRange(batch);
    }

    /// <summary>Store every five seconds what has arrived, since one write of many events is cheaper.</summary>
    private void Flush()
    {
        lock (guard)
        {
            foreach (var one in pending)
                if (known.Add(one))
                    events.Add(one);
            pending.Clear();
        }
    }

    private static void Respond(HttpListenerContext context, int status, string text = "")
    {
        var body = Encoding.UTF8.GetBytes(text);
        context.Response.StatusCode = status;
        if (status == 401) context.Response.AddHeader("WWW-Authenticate", "Basic");
        context.Response.Close(body, willBlock: true);
    }
}
