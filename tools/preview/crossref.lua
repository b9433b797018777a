-- Number sections, figures, tables, equations and callouts in the order of the document, then
-- turn references into links. Runs before citeproc, which would take @fig-x for a citation.

local NBSP = "\u{a0}"
local NAMES = {
  fig = "Figure", tbl = "Table", lst = "Listing", eq = "Equation", sec = "Section",
  nte = "Note", tip = "Tip", wrn = "Warning", imp = "Important", cau = "Caution",
}
local FLOATS = { fig = true, tbl = true, lst = true }

local entries, counters = {}, {}
local section, first_level = { 0, 0, 0, 0, 0, 0, 0 }, 2
local options, number_sections, number_depth = {}, false, 6
local unnamed = 0

local function warn(message)
  io.stderr:write("WARNING: " .. message .. "\n")
end

local function kind_of(identifier)
  local kind = identifier:match("^(%a+)%-")
  return kind and kind:lower()
end

local function option(name, default)
  return options[name] and pandoc.utils.stringify(options[name]) or default
end

-- Numbers ------------------------------------------------------------------------------------

local function number(kind, identifier)
  counters[kind] = (counters[kind] or 0) + 1
  entries[identifier] = { kind = kind, number = tostring(counters[kind]) }
  return entries[identifier].number
end

local function captioned(label, caption)
  local result = pandoc.Inlines({ pandoc.Str(label) })
  if #caption > 0 then
    result[1].text = label .. option("title-delim", ":")
    result:insert(pandoc.Space())
    result:extend(caption)
  end
  return result
end

local function float_label(kind, n)
  return option(kind .. "-title", NAMES[kind]) .. NBSP .. n
end

local function section_number(level)
  local last = first_level
  for i = first_level, level do
    if section[i] > 0 then last = i end
  end
  return table.concat(section, ".", first_level, last)
end

local function header(el)
  if el.classes:includes("unnumbered") then
    return nil
  end
  for i = el.level + 1, #section do
    section[i] = 0
  end
  section[el.level] = section[el.level] + 1
  local label = section_number(el.level)
  if kind_of(el.identifier) == "sec" then
    entries[el.identifier] = { kind = "sec", number = label }
  end
  if number_sections and el.level <= number_depth and label ~= "" then
    el.attributes.number = label
    el.content:insert(1, pandoc.Space())
    el.content:insert(1, pandoc.Span({ pandoc.Str(label) }, { class = "header-section-number" }))
  end
  return el
end

-- Figures and tables -------------------------------------------------------------------------

-- A float whose caption stands above its content, which Pandoc's own Figure cannot do.
local function captioned_above(attr, caption, content)
  local id = attr.identifier
  local open = id ~= "" and ' id="' .. id .. '"' or ""
  local blocks = pandoc.Blocks({
    pandoc.RawBlock("html", '<figure class="table-figure"' .. open .. ">"),
  })
  if #caption > 0 then
    unnamed = unnamed + 1
    local name = (id ~= "" and id or "table-" .. unnamed) .. "-caption"
    local inlines = pandoc.Inlines({ pandoc.RawInline("html", '<figcaption id="' .. name .. '">') })
    inlines:extend(caption)
    inlines:insert(pandoc.RawInline("html", "</figcaption>"))
    blocks:insert(pandoc.Plain(inlines))
    content = { pandoc.Div(content, pandoc.Attr("", {}, { { "aria-describedby", name } })) }
  end
  blocks:extend(content)
  blocks:insert(pandoc.RawBlock("html", "</figure>"))
  if #attr.classes > 0 then
    return pandoc.Blocks({ pandoc.Div(blocks, pandoc.Attr("", attr.classes)) })
  end
  return blocks
end

local function is_image_paragraph(block)
  return block and (block.t == "Para" or block.t == "Plain") and #block.content == 1
    and block.content[1].t == "Image"
end

-- Pandoc makes no figure of an image without a caption; Quarto numbers it all the same.
local function figure_of(image)
  local identifier = image.identifier
  image.identifier = ""
  return pandoc.Figure({ pandoc.Plain({ image }) }, { pandoc.Plain(image.caption) },
    pandoc.Attr(identifier))
end

-- The last paragraph of a float's div is its caption; else the attribute; else what it holds.
local function take_caption(div, kind)
  local content, last = div.content, div.content[#div.content]
  if last and last.t == "Para" and #content > 1 then
    content:remove()
    return last.content
  end
  local attribute = div.attributes[kind .. "-cap"]
  if attribute then
    return pandoc.utils.blocks_to_inlines(pandoc.read(attribute, "markdown").blocks)
  end
  local inner = pandoc.Inlines({})
  div.content = content:walk({
    Table = function(tbl)
      if #inner == 0 and #tbl.caption.long > 0 then
        inner = pandoc.utils.blocks_to_inlines(tbl.caption.long)
        tbl.caption.long = {}
        return tbl
      end
    end,
    Figure = function(figure)
      if #inner == 0 and #figure.caption.long > 0 and figure.identifier == "" and #content == 1 then
        inner = pandoc.utils.blocks_to_inlines(figure.caption.long)
        return figure.content
      end
    end,
  })
  return inner
end

local function spread_alt(div)
  local alt = div.attributes["fig-alt"]
  if alt then
    div.content = div.content:walk({
      Image = function(image)
        image.attributes["fig-alt"] = image.attributes["fig-alt"] or alt
        return image
      end,
    })
  end
end

local function sub_figure(el, parent, n)
  local letter = "(" .. string.char(96 + n) .. ")"
  entries[el.identifier] = { kind = parent.kind, number = parent.number .. " " .. letter }
  local caption = pandoc.Inlines({ pandoc.Str(letter) })
  local own = el.t == "Figure" and pandoc.utils.blocks_to_inlines(el.caption.long)
    or (el.t == "Div" and take_caption(el, parent.kind)) or pandoc.Inlines({})
  if #own > 0 then
    caption:insert(pandoc.Space())
    caption:extend(own)
  end
  return pandoc.Figure(el.content, { pandoc.Plain(caption) }, pandoc.Attr(el.identifier))
end

local function number_parts(blocks, parent)
  local n = 0
  local function part(el)
    if FLOATS[kind_of(el.identifier) or ""] then
      n = n + 1
      return sub_figure(el, parent, n), false
    end
  end
  local function images(para)
    if is_image_paragraph(para) and kind_of(para.content[1].identifier) == "fig" then
      return part(figure_of(para.content[1]))
    end
  end
  return blocks:walk({ traverse = "topdown", Figure = part, Div = part, Para = images })
end

local function split_code(div)
  local code, rest = pandoc.Blocks({}), pandoc.Blocks({})
  for _, block in ipairs(div.content) do
    local is_code = block.t == "CodeBlock" and block.classes:includes("cell-code")
    if is_code then code:insert(block) else rest:insert(block) end
  end
  div.content = rest
  return code
end

local function layout(content, attributes)
  local columns = tonumber(attributes["layout-ncol"])
  if not columns then
    return content
  end
  return pandoc.Blocks({ pandoc.Div(content, {
    class = "layout", style = "--columns: " .. math.floor(columns),
  }) })
end

local function float_div(div, kind)
  local blocks = div.classes:includes("cell") and split_code(div) or pandoc.Blocks({})
  local label = float_label(kind, number(kind, div.identifier))
  spread_alt(div)
  local caption = captioned(label, take_caption(div, kind))
  local content = layout(number_parts(div.content, entries[div.identifier]), div.attributes)
  local attr = pandoc.Attr(div.identifier, div.classes:filter(function(c) return c ~= "cell" end))
  if kind == "fig" then
    blocks:insert(pandoc.Figure(content, { pandoc.Plain(caption) }, attr))
  else
    blocks:extend(captioned_above(attr, caption, content))
  end
  return blocks, false
end

local function callout_div(div, kind)
  local label = option(kind .. "-title", NAMES[kind]) .. NBSP .. number(kind, div.identifier)
  local title = div.content[1].content[1]
  local own = div.attributes["data-titled"] == "true" and title.content or pandoc.Inlines({})
  title.content = captioned(label, own)
  return div
end

local function caption_table_of(div)
  local caption = pandoc.utils.blocks_to_inlines(
    pandoc.read(div.attributes["tbl-cap"], "markdown").blocks
  )
  local done = false
  div.attributes["tbl-cap"] = nil
  div.content = div.content:walk({
    Table = function(tbl)
      if not done then
        done = true
        tbl.caption.long = { pandoc.Plain(caption) }
        return tbl
      end
    end,
  })
  return div
end

local function divs(div)
  local kind = kind_of(div.identifier)
  if kind and FLOATS[kind] then
    return float_div(div, kind)
  elseif kind and NAMES[kind] and div.classes:includes("callout") then
    return callout_div(div, kind)
  elseif div.attributes["tbl-cap"] then
    return caption_table_of(div)
  elseif div.attributes["layout-ncol"] then
    div.content = layout(div.content, div.attributes)
    return div
  end
end

local function figure(el)
  if kind_of(el.identifier) ~= "fig" then
    return nil
  end
  local caption = pandoc.utils.blocks_to_inlines(el.caption.long)
  local label = float_label("fig", number("fig", el.identifier))
  el.caption.long = { pandoc.Plain(captioned(label, caption)) }
  return el, false
end

-- The caption of an HTML table still has its label as text.
local function table_identifier(caption)
  local last = caption[#caption]
  local identifier = last and last.t == "Str" and last.text:match("^{#(tbl%-[^}]+)}$")
  if identifier then
    caption:remove()
    if #caption > 0 and caption[#caption].t == "Space" then
      caption:remove()
    end
  end
  return identifier
end

local function tables(tbl)
  local caption = pandoc.utils.blocks_to_inlines(tbl.caption.long)
  local identifier = table_identifier(caption) or tbl.identifier
  if kind_of(identifier) == "tbl" then
    caption = captioned(float_label("tbl", number("tbl", identifier)), caption)
  elseif #caption == 0 then
    return nil
  end
  local attr = pandoc.Attr(identifier, tbl.classes)
  tbl.identifier, tbl.caption.long = "", {}
  return captioned_above(attr, caption, pandoc.Blocks({ tbl })), false
end

-- Equations ----------------------------------------------------------------------------------

-- The label after an equation, "{#eq-x}" or "{#eq-x alt=...}", and the index of its last inline.
local function equation_label(inlines, start)
  local i = start
  while inlines[i] and (inlines[i].t == "Space" or inlines[i].t == "SoftBreak") do
    i = i + 1
  end
  local first = inlines[i]
  local identifier = first and first.t == "Str" and first.text:match("^{#(eq%-[^}%s]+)")
  while identifier and inlines[i] do
    local rest = inlines[i].t == "Str" and inlines[i].text:match("}(.*)$")
    if rest then
      return identifier, i, rest
    end
    i = i + 1
  end
end

local function numbered_equation(math, identifier)
  local label = pandoc.Str("(" .. number("eq", identifier) .. ")")
  local beside = pandoc.Span({ label }, { class = "equation-number" })
  return pandoc.Span({ math, beside }, pandoc.Attr(identifier, { "equation" }))
end

local function equations(block)
  local result, i = pandoc.Inlines({}), 1
  while i <= #block.content do
    local el = block.content[i]
    local identifier, last, rest
    if el.t == "Math" and el.mathtype == "DisplayMath" then
      identifier, last, rest = equation_label(block.content, i + 1)
    end
    result:insert(identifier and numbered_equation(el, identifier) or el)
    if identifier and rest ~= "" then
      result:insert(pandoc.Str(rest))
    end
    i = (last or i) + 1
  end
  block.content = result
  return block
end

local function paragraphs(para)
  local image = is_image_paragraph(para) and para.content[1]
  if image and kind_of(image.identifier) == "fig" then
    return figure(figure_of(image))
  end
  return equations(para)
end

-- References ---------------------------------------------------------------------------------

local function reference_text(citation, entry, upper)
  local text = pandoc.Inlines({})
  if #citation.prefix > 0 then
    text:extend(citation.prefix)
    text:insert(pandoc.Str(NBSP))
  elseif citation.mode ~= "SuppressAuthor" then
    local prefix = option(entry.kind .. "-prefix", NAMES[entry.kind])
    if upper then
      prefix = pandoc.text.upper(pandoc.text.sub(prefix, 1, 1)) .. pandoc.text.sub(prefix, 2)
    end
    text:insert(pandoc.Str(prefix .. NBSP))
  end
  text:insert(pandoc.Str(entry.number))
  return text
end

local function resolve(citation)
  local identifier = citation.id:sub(1, 1):lower() .. citation.id:sub(2)
  local entry = entries[identifier]
  if entry then
    local text = reference_text(citation, entry, citation.id:match("^%u"))
    return pandoc.Link(text, "#" .. identifier, "", { class = "quarto-xref" })
  elseif NAMES[kind_of(citation.id) or ""] then
    warn("unable to resolve the reference @" .. identifier)
    return pandoc.Strong({ pandoc.Str("?@" .. identifier) })
  end
end

local function references(cite)
  local result = pandoc.Inlines({})
  for _, citation in ipairs(cite.citations) do
    local link = resolve(citation)
    if link then
      if #result > 0 then
        result:extend({ pandoc.Str(option("ref-delim", ",")), pandoc.Space() })
      end
      result:insert(link)
    end
  end
  return #result > 0 and result or nil
end

-- Quarto numbers from the first level when the document uses it, else from the second.
local function find_first_level(blocks)
  blocks:walk({
    Header = function(el)
      if el.level == 1 then first_level = 1 end
    end,
  })
end

function Pandoc(doc)
  options = doc.meta.crossref or {}
  number_sections = doc.meta["number-sections"] == true
  number_depth = tonumber(pandoc.utils.stringify(doc.meta["number-depth"] or "")) or 6
  find_first_level(doc.blocks)
  doc.blocks = doc.blocks:walk({
    traverse = "topdown",
    Header = header,
    Div = divs,
    Figure = figure,
    Table = tables,
    Para = paragraphs,
    Plain = equations,
  })
  doc.blocks = doc.blocks:walk({ Cite = references })
  if pandoc.utils.type(doc.meta.abstract) == "Blocks"
    or pandoc.utils.type(doc.meta.abstract) == "Inlines" then
    doc.meta.abstract = doc.meta.abstract:walk({ Cite = references })
  end
  return doc
end
